import { Injectable } from '@nestjs/common';
import { NonRetryableEventError, OnScalekitEvent, type ScalekitEvent } from 'nestjs-scalekit-webhooks';
import { TenantRegistry } from './tenant.registry.js';

@Injectable()
export class MembershipHandlers {
  constructor(private readonly tenants: TenantRegistry) {}

  @OnScalekitEvent(['user.signup', 'user.organization_membership_created'])
  join(event: ScalekitEvent<'user.signup' | 'user.organization_membership_created'>): void {
    const { organization, user } = event.data;
    const organizationId = organization?.id ?? event.organization_id;
    if (!organizationId || !user?.id)
      throw new NonRetryableEventError('the event has no organization or user');
    if (!this.tenants.isTenant(organizationId)) throw new NonRetryableEventError('unknown organization');
    this.tenants.add(organizationId, user.id);
  }
}
