import { beforeEach, describe, expect, it } from '@jest/globals';
import type { ModuleMetadata, Type } from '@nestjs/common';
import { ExpressAdapter } from '@nestjs/platform-express';
import {
  InboxTransport,
  type InboxTransportOptions,
  type InboxWorkStore,
  OnScalekitEvent,
  type ScalekitDelivery,
  type ScalekitEvent,
  ScalekitInbox,
  ScalekitWebhooksModule,
} from 'nestjs-scalekit-webhooks';
import { ScalekitRecovery, ScalekitRecoveryModule } from 'nestjs-scalekit-webhooks/recovery';
import {
  createScalekitEvent,
  ScalekitWebhookTester,
  SimulatedEventsApi,
} from 'nestjs-scalekit-webhooks/testing';
import { CapturedLogger } from '../../helpers/captured-logger.js';
import { closeAfterTest } from '../../helpers/running-app.js';
import { describeWithService } from '../../helpers/services.js';
import { SECRET, startApp } from '../../helpers/test-app.js';
import { until } from '../../helpers/until.js';
import { WORK_DATABASES, type WorkDatabase } from '../../helpers/work-stores.js';
import { FAST, runsOf, untilRuns } from './background-app.js';
import { type OpenDatabase, RESTORABLE_DATABASES } from './restorable-database.js';

const FIVE_MINUTES_MS = 5 * 60_000;

/** What the handlers of all processes of a test did. */
let handled: string[] = [];

class FirstRelease {
  @OnScalekitEvent('user.created', { id: 'Mail.send' })
  send(event: ScalekitEvent<'user.created'>): void {
    handled.push(`first release: mail ${event.id}`);
  }
}

class SecondRelease {
  @OnScalekitEvent('user.created', { id: 'Mail.send' })
  send(event: ScalekitEvent<'user.created'>): void {
    handled.push(`second release: mail ${event.id}`);
  }

  @OnScalekitEvent('user.created', { id: 'Audit.record' })
  record(event: ScalekitEvent<'user.created'>): void {
    handled.push(`second release: audit ${event.id}`);
  }
}

class RenamedHandler {
  @OnScalekitEvent('user.created')
  welcome(event: ScalekitEvent<'user.created'>): void {
    handled.push(`renamed: ${event.id}`);
  }
}

class RenamedHandlerWithOldId {
  @OnScalekitEvent('user.created', { id: 'Mail.send' })
  welcome(event: ScalekitEvent<'user.created'>): void {
    handled.push(`renamed, with its old id: ${event.id}`);
  }
}

/** Starts a process of a release, which is closed when the test ends. */
async function startRelease(
  inbox: InboxWorkStore,
  release: Type,
  transport: InboxTransportOptions = {},
  modules: ModuleMetadata['imports'] = [],
) {
  const logger = new CapturedLogger();
  const module = ScalekitWebhooksModule.forRoot({
    signingSecret: SECRET,
    inbox,
    transport: new InboxTransport({ ...FAST, ...transport }),
  });
  const metadata = { imports: [module, ...modules], providers: [release] };
  const app = closeAfterTest(await startApp(() => new ExpressAdapter(), metadata, undefined, { logger }));
  const service = app.get(ScalekitInbox, { strict: false });
  return { app, logger, service, scalekit: new ScalekitWebhookTester(app) };
}

await describeWithService('postgres', 'Releases', () => {
  describe.each(WORK_DATABASES)('on %s', (_name, openDatabase) => {
    let database: WorkDatabase;

    beforeEach(async () => {
      handled = [];
      database = await openDatabase();
    });

    it('share the work: an older worker leaves the runs of new handlers to newer ones', async () => {
      const inbox = database.open();
      await startRelease(database.open(), FirstRelease);
      const web = await startRelease(inbox, SecondRelease, { worker: false });
      const event = createScalekitEvent('user.created');
      await web.scalekit.deliver(event);
      await untilHandled(1);
      expect(await runsOf(inbox, event.id)).toMatchObject({
        'Audit.record': { state: 'queued', attempts: 0 },
      });

      await startRelease(database.open(), SecondRelease);

      await untilRuns(inbox, event.id, 'done');
      expect(handled).toEqual([`first release: mail ${event.id}`, `second release: audit ${event.id}`]);
    });

    it('a replay starts a new handler for an event that an older release has received, and no other', async () => {
      const inbox = database.open();
      const event = createScalekitEvent('user.created');
      const old = await startRelease(database.open(), FirstRelease);
      await old.scalekit.deliver(event);
      await untilRuns(inbox, event.id, 'done');
      const next = await startRelease(inbox, SecondRelease);
      expect(Object.keys(await runsOf(inbox, event.id))).toEqual(['Mail.send']);

      await next.service.replay(event.id);

      await untilHandled(2);
      expect(handled).toEqual([`first release: mail ${event.id}`, `second release: audit ${event.id}`]);
    });

    it('that rename a handler leave its runs waiting, say so, and run them once it has its old id', async () => {
      const inbox = database.open();
      const event = createScalekitEvent('user.created');
      const old = await startRelease(database.open(), FirstRelease, { worker: false });
      await old.scalekit.deliver(event);
      await old.app.close();
      await database.passTime(61_000);

      const renamed = await startRelease(database.open(), RenamedHandler);
      await until(
        () => renamed.logger.ours('warn'),
        (lines) => lines.some((line) => line.includes('does not have: Mail.send (1)')),
      );
      await renamed.app.close();
      expect(handled).toEqual([]);

      await startRelease(database.open(), RenamedHandlerWithOldId);

      await untilRuns(inbox, event.id, 'done');
      expect(handled).toEqual([`renamed, with its old id: ${event.id}`]);
    });
  });

  describe.each(RESTORABLE_DATABASES)('after %s was restored from a backup', (_name, createDatabase) => {
    it('run again what was done since, with the same keys, and recover what is not in it', async () => {
      const database = await createDatabase();
      const api = new SimulatedEventsApi();
      const [first, waiting, later] = ['evt_first', 'evt_waiting', 'evt_later'].map(eventOfFiveMinutesAgo);
      if (!first || !waiting || !later) throw new Error('three events are needed');
      const worker = await startAccounts(await database.open(), api);
      await worker.recovery.recover();
      api.add(first, waiting, later);
      await worker.scalekit.deliver(first);
      await worker.untilDone(first.id);
      await worker.stop();
      const web = await startAccounts(await database.open(), api, { worker: false });
      await web.scalekit.deliver(waiting);
      await web.stop();

      const backup = await database.backUp();
      const original = await startAccounts(await database.open(), api);
      await original.scalekit.deliver(later);
      await original.untilDone(waiting.id);
      await original.untilDone(later.id);
      await original.stop();
      const restored = await startAccounts(await backup.open(), api);
      await restored.untilDone(waiting.id);
      expect(await restored.recovery.recover()).toMatchObject({ read: 3, duplicates: 2, handled: 1 });
      await restored.untilDone(later.id);

      expect([...restored.keys.keys()]).toEqual([waiting.id, later.id]);
      for (const [id, key] of restored.keys) expect(original.keys.get(id)).toBe(key);
      expect(await restored.effects()).toEqual([first.id, later.id, waiting.id]);
      await restored.stop();
    });
  });
});

function eventOfFiveMinutesAgo(id: string) {
  const occurredAt = new Date(Date.now() - FIVE_MINUTES_MS);
  return createScalekitEvent('user.created', { id, occurred_at: occurredAt.toISOString() });
}

async function untilHandled(count: number): Promise<void> {
  await until(
    () => handled.length,
    (length) => length >= count,
  );
}

/** Starts an application whose effects are in the database of its inbox, and which can recover events. */
async function startAccounts(
  database: OpenDatabase,
  api: SimulatedEventsApi,
  transport: InboxTransportOptions = {},
) {
  /** The idempotency key of each event that was handled. */
  const keys = new Map<string, string>();

  class Accounts {
    @OnScalekitEvent('user.created', { id: 'Accounts.create' })
    async create({ id }: ScalekitEvent<'user.created'>, delivery: ScalekitDelivery): Promise<void> {
      keys.set(id, delivery.idempotencyKey);
      await database.addEffect(id, delivery);
    }
  }

  const recovery = ScalekitRecoveryModule.forRoot({ client: api.client, onStart: false });
  const { app, scalekit } = await startRelease(database.inbox, Accounts, transport, [recovery]);
  return {
    keys,
    scalekit,
    recovery: app.get(ScalekitRecovery, { strict: false }),
    effects: () => database.effects(),
    untilDone: (id: string) => untilRuns(database.inbox, id, 'done'),
    async stop() {
      await app.close();
      await database.close();
    },
  };
}
