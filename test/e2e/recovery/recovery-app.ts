import { jest } from '@jest/globals';
import type { Type } from '@nestjs/common';
import {
  type InboxStore,
  OnScalekitEvent,
  type ScalekitEvent,
  ScalekitInbox,
  ScalekitWebhooksModule,
  type ScalekitWebhooksOptions,
} from 'nestjs-scalekit-webhooks';
import {
  ScalekitRecovery,
  ScalekitRecoveryModule,
  type ScalekitRecoveryOptions,
} from 'nestjs-scalekit-webhooks/recovery';
import { SqliteInboxStore } from 'nestjs-scalekit-webhooks/sqlite';
import {
  createScalekitEvent,
  ScalekitWebhookTester,
  SimulatedEventsApi,
} from 'nestjs-scalekit-webhooks/testing';
import { CapturedLogger } from '../../helpers/captured-logger.js';
import { runOnExpress } from '../../helpers/running-app.js';
import { SECRET } from '../../helpers/secrets.js';
import { openSqlite, sqliteFile } from '../../helpers/sqlite-files.js';

export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;

/** The handler of one event type. The test can let it fail. */
export class Users {
  readonly handled: string[] = [];
  readonly run = jest.fn<(event: ScalekitEvent<'user.created'>) => Promise<void>>();

  @OnScalekitEvent('user.created', { id: 'Users.created' })
  async created(event: ScalekitEvent<'user.created'>) {
    await this.run(event);
    this.handled.push(event.id);
  }
}

/** An event that happened some time ago. */
export function eventOf(agoMs: number, id: string, type: 'user.created' | 'user.deleted' = 'user.created') {
  return createScalekitEvent(type, { id, occurred_at: new Date(Date.now() - agoMs).toISOString() });
}

export async function sqliteInbox(file?: string): Promise<SqliteInboxStore> {
  return new SqliteInboxStore({ database: openSqlite(file ?? (await sqliteFile())) });
}

interface RecoveryAppOptions {
  readonly api?: SimulatedEventsApi;
  readonly inbox?: InboxStore;
  readonly options?: Partial<ScalekitRecoveryOptions>;
  readonly webhooks?: ScalekitWebhooksOptions;
  /** Further handlers. */
  readonly handlers?: readonly Type[];
}

/** Starts an application that recovers when the test asks for it. It is closed when the test ends. */
export async function startRecoveryApp({
  api = new SimulatedEventsApi(),
  inbox,
  options,
  webhooks,
  handlers = [],
}: RecoveryAppOptions = {}) {
  const logger = new CapturedLogger();
  const store = inbox ?? (await sqliteInbox());
  const app = await runOnExpress(
    {
      imports: [
        ScalekitWebhooksModule.forRoot({ signingSecret: SECRET, inbox: store, ...webhooks }),
        ScalekitRecoveryModule.forRoot({ client: api.client, onStart: false, ...options }),
      ],
      providers: [Users, ...handlers],
    },
    undefined,
    { logger },
  );
  const users = app.get(Users);
  return {
    app,
    api,
    logger,
    store,
    users,
    handled: users.handled,
    recovery: app.get(ScalekitRecovery, { strict: false }),
    inbox: app.get(ScalekitInbox, { strict: false }),
    scalekit: new ScalekitWebhookTester(app),
  };
}
