import { Injectable } from '@nestjs/common';
import type Database from 'libsql';
import { OnScalekitEvent, type ScalekitDelivery, type ScalekitEvent } from 'nestjs-scalekit-webhooks';
import { SqliteFile } from './database.module.js';

type UserEvent = ScalekitEvent<'user.created' | 'user.updated' | 'user.deleted'>;

/** What happened to a user. */
export interface HistoryLine {
  readonly user_id: string;
  readonly event_id: string;
  readonly occurred_at: string;
}

@Injectable()
export class UserHistory {
  constructor(private readonly file: SqliteFile) {}

  /** The events of a user come one at a time and oldest first. The line and the record of the run are committed together. */
  @OnScalekitEvent(['user.created', 'user.updated', 'user.deleted'], { order: 'entity' })
  async add(event: UserEvent, delivery: ScalekitDelivery): Promise<void> {
    const userId = event.data.user?.id ?? '';
    await delivery.transaction(async (tx: Database.Database) => {
      tx.prepare('INSERT INTO history (user_id, event_id, occurred_at) VALUES (?, ?, ?)').run(
        userId,
        event.id,
        event.occurred_at,
      );
    });
  }

  /** In the order in which they were written. */
  lines(): HistoryLine[] {
    return this.file.database.prepare('SELECT * FROM history ORDER BY position').all() as HistoryLine[];
  }
}
