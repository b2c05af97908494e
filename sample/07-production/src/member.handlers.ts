import { Injectable } from '@nestjs/common';
import {
  NonRetryableEventError,
  OnScalekitEvent,
  type ScalekitDelivery,
  type ScalekitEvent,
} from 'nestjs-scalekit-webhooks';
import type { PoolClient } from 'pg';

@Injectable()
export class MemberHandlers {
  /** The row and the record that the run is done are committed together. */
  @OnScalekitEvent('user.created', { order: 'entity' })
  async add(event: ScalekitEvent<'user.created'>, delivery: ScalekitDelivery): Promise<void> {
    const userId = event.data.user?.id;
    if (!userId) throw new NonRetryableEventError('The event names no user');
    await delivery.transaction(async (tx: PoolClient) => {
      await tx.query('INSERT INTO members (user_id) VALUES ($1) ON CONFLICT DO NOTHING', [userId]);
    });
  }
}
