import { Injectable } from '@nestjs/common';
import type Database from 'libsql';
import {
  NonRetryableEventError,
  OnScalekitEvent,
  type ScalekitDelivery,
  type ScalekitEvent,
} from 'nestjs-scalekit-webhooks';
import { SeatDatabase } from './seat.database.js';

type MembershipEvent = ScalekitEvent<
  'user.organization_membership_created' | 'user.organization_membership_deleted'
>;

@Injectable()
export class SeatHandlers {
  constructor(private readonly seats: SeatDatabase) {}

  @OnScalekitEvent('user.organization_membership_created')
  async take(event: ScalekitEvent<'user.organization_membership_created'>, delivery: ScalekitDelivery) {
    await this.#change(1, event, delivery);
  }

  @OnScalekitEvent('user.organization_membership_deleted')
  async free(event: ScalekitEvent<'user.organization_membership_deleted'>, delivery: ScalekitDelivery) {
    await this.#change(-1, event, delivery);
  }

  async #change(by: number, event: MembershipEvent, delivery: ScalekitDelivery): Promise<void> {
    const organizationId = event.data.organization?.id ?? event.organization_id;
    if (!organizationId) throw new NonRetryableEventError('the event has no organization');
    await delivery.transaction((tx: Database.Database) => this.seats.change(tx, organizationId, by));
  }
}
