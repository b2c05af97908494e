import { Injectable } from '@nestjs/common';
import { OnScalekitEvent, type ScalekitEvent } from 'nestjs-scalekit-webhooks';

@Injectable()
export class DirectoryHandlers {
  readonly provisioned: string[] = [];
  readonly seen: string[] = [];

  @OnScalekitEvent('organization.directory.user_created')
  provision(event: ScalekitEvent<'organization.directory.user_created'>): void {
    this.provisioned.push(`${event.data.id} for ${event.organization_id}`);
  }

  @OnScalekitEvent('organization.*')
  observe(event: ScalekitEvent<'organization.*'>): void {
    this.seen.push(`${event.type} ${event.id}`);
  }
}
