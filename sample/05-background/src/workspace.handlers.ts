import { Injectable, Logger } from '@nestjs/common';
import { OnScalekitEvent, type ScalekitDelivery, type ScalekitEvent } from 'nestjs-scalekit-webhooks';
import type { EntityManager } from 'typeorm';
import { Cloud } from './cloud.js';
import { Workspace } from './workspace.entity.js';

@Injectable()
export class WorkspaceHandlers {
  readonly #logger = new Logger(WorkspaceHandlers.name);

  constructor(private readonly cloud: Cloud) {}

  /** The slow call comes first. The row and the record that the run is done are then committed together. */
  @OnScalekitEvent('organization.created', { attempts: 5 })
  async open(event: ScalekitEvent<'organization.created'>, delivery: ScalekitDelivery): Promise<void> {
    const organizationId = event.organization_id ?? '';
    const storage = await this.cloud.createStorage(delivery.idempotencyKey, delivery.signal);
    await delivery.transaction(async (tx: EntityManager) => {
      await tx.insert(Workspace, { organizationId, storage });
    });
    this.#logger.log(`${organizationId} has a workspace, after ${delivery.attempt} attempt(s)`);
  }
}
