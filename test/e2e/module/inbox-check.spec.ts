import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Redis } from 'ioredis';
import { InboxUnusableError, MemoryInboxStore, ScalekitWebhooksModule } from 'nestjs-scalekit-webhooks';
import { PostgresInboxStore } from 'nestjs-scalekit-webhooks/postgres';
import { RedisInboxStore } from 'nestjs-scalekit-webhooks/redis';
import { SqliteInboxStore } from 'nestjs-scalekit-webhooks/sqlite';
import { CapturedLogger } from '../../helpers/captured-logger.js';
import { cleanUpAfterTest } from '../../helpers/cleanup.js';
import { holdClock } from '../../helpers/clock.js';
import { deferred } from '../../helpers/deferred.js';
import { openPool } from '../../helpers/postgres.js';
import { runOnExpress } from '../../helpers/running-app.js';
import { aUserCreated, First, startScriptedApp } from '../../helpers/scripted-app.js';
import { describeWithService } from '../../helpers/services.js';
import { openSqlite, sqliteFile } from '../../helpers/sqlite-files.js';
import { ADAPTERS, SECRET } from '../../helpers/test-app.js';

const PREFIX = 'The inbox cannot be used, so deliveries get a 503. ';

function anInbox(ping: () => Promise<void>) {
  const inbox = new MemoryInboxStore();
  return Object.assign(inbox, { ping: jest.fn(ping) });
}

describe.each(ADAPTERS)('the check of the inbox at startup, on %s', (_name, adapter) => {
  afterEach(() => {
    jest.useRealTimers();
  });

  it('logs nothing if the inbox can be used', async () => {
    const { app, logger } = await startScriptedApp(adapter);

    await app.close();

    expect(logger.ours('warn')).toEqual([]);
  });

  it('logs each problem as a warning, and the application works', async () => {
    const inbox = anInbox(async () => {
      throw new InboxUnusableError(['One is wrong. Fix it.', 'Two is wrong.\nFix it.']);
    });
    const { app, scalekit, logger } = await startScriptedApp(adapter, { inbox });

    expect((await scalekit.deliver(aUserCreated())).status).toBe(201);
    await app.close();

    expect(logger.ours('warn')).toEqual([
      `${PREFIX}One is wrong. Fix it.`,
      `${PREFIX}Two is wrong.\\nFix it.`,
    ]);
    expect(inbox.ping).toHaveBeenCalledTimes(1);
  });

  it.each<[string, () => unknown, string]>([
    ['an error', () => new TypeError('no database'), 'TypeError: no database'],
    [
      'an error with a URL and a secret',
      () => new Error('cannot connect to "postgres://me:hunter2@db/x?password=y" with whsec_c2VjcmV0'),
      'Error: cannot connect to "postgres://… with whsec_…',
    ],
    ['a text', () => 'no database', 'NonErrorThrown: a string was thrown'],
    ['nothing', () => undefined, 'NonErrorThrown: undefined was thrown'],
    [
      'an error that cannot be read',
      () =>
        new Proxy(new Error('no database'), {
          get() {
            throw new Error('unreadable');
          },
        }),
      'UnreadableError: the thrown value could not be read',
    ],
  ])('reports a store that throws %s', async (_thrown, thrown, problem) => {
    const inbox = anInbox(() => {
      throw thrown();
    });
    const { app, logger } = await startScriptedApp(adapter, { inbox });

    await app.close();

    expect(logger.ours('warn')).toEqual([PREFIX + problem]);
  });

  it('does not delay the start, and reports an inbox that is silent for 5 s', async () => {
    holdClock();
    const inbox = anInbox(() => new Promise(() => {}));
    const { scalekit, logger } = await startScriptedApp(adapter, { inbox });

    expect((await scalekit.deliver(aUserCreated())).status).toBe(201);
    await jest.advanceTimersByTimeAsync(4999);
    expect(logger.ours('warn')).toEqual([]);
    await jest.advanceTimersByTimeAsync(1);

    expect(logger.ours('warn')).toEqual([
      expect.stringMatching(/^The inbox has not responded for 5 s\. .*Check that its database is running/),
    ]);
  });

  it('ends before the application closes', async () => {
    const pinged = deferred<void>();
    const inbox = anInbox(() => pinged.promise);
    const { app, logger } = await startScriptedApp(adapter, { inbox });

    const closed = app.close();
    pinged.reject(new Error('too late'));
    await closed;

    expect(logger.ours('warn')).toEqual([`${PREFIX}Error: too late`]);
  });

  it('reports a SQLite store whose tables are newer', async () => {
    const database = openSqlite(await sqliteFile());
    await new SqliteInboxStore({ database }).ping();
    database.exec('UPDATE scalekit_webhooks_meta SET version = 99');
    const { app, logger } = await startScriptedApp(adapter, { inbox: new SqliteInboxStore({ database }) });

    await app.close();

    expect(logger.ours('warn')).toEqual([
      expect.stringMatching(
        /^The inbox cannot be used, so deliveries get a 503\. A newer version of .*Update/,
      ),
    ]);
  });

  it('reports a Redis store without a server', async () => {
    const client = new Redis({ port: 1, maxRetriesPerRequest: 0, retryStrategy: () => null });
    client.on('error', () => {});
    const inbox = new RedisInboxStore({ client, application: 'billing' });
    const { app, logger } = await startScriptedApp(adapter, { inbox });

    await app.close();

    expect(logger.ours('warn')).toEqual([
      expect.stringMatching(
        /^The inbox cannot be used, .*could not use Redis: .*Check that Redis is running/,
      ),
    ]);
  });
});

describe('endpoints', () => {
  let logger: CapturedLogger;

  beforeEach(() => {
    logger = new CapturedLogger();
  });

  async function start(inboxes: readonly MemoryInboxStore[]) {
    const imports = inboxes.map((inbox, index) => {
      const name = `e${index}`;
      return ScalekitWebhooksModule.forRoot({ signingSecret: SECRET, name, path: name, inbox });
    });
    const app = await runOnExpress({ imports, providers: [First] }, undefined, { logger });
    await app.close();
  }

  const broken = () =>
    anInbox(async () => {
      throw new Error('broken');
    });

  it('that share an inbox check it once', async () => {
    const inbox = broken();

    await start([inbox, inbox, inbox]);

    expect(inbox.ping).toHaveBeenCalledTimes(1);
    expect(logger.ours('warn')).toEqual([`${PREFIX}Error: broken`]);
  });

  it('with inboxes of their own each report theirs', async () => {
    await start([broken(), broken()]);

    const warnings = logger.lines.filter(({ level }) => level === 'warn');
    expect(warnings.map(({ context }) => context)).toEqual(['ScalekitWebhooks:e0', 'ScalekitWebhooks:e1']);
  });

  it('of another application check a shared inbox again', async () => {
    const inbox = broken();

    await start([inbox]);
    await start([inbox]);

    expect(inbox.ping).toHaveBeenCalledTimes(2);
  });
});

await describeWithService('postgres', 'A Postgres store on a read-only role', () => {
  it.each(ADAPTERS)('is reported at startup, on %s', async (_name, adapter) => {
    const client = openPool({ options: '-c default_transaction_read_only=on' });
    cleanUpAfterTest(() => client.end());
    const inbox = new PostgresInboxStore({ client, application: 'billing', schema: 'never_created' });
    const { app, logger } = await startScriptedApp(adapter, { inbox });

    await app.close();

    expect(logger.ours('warn')).toEqual([
      expect.stringMatching(
        /^The inbox cannot be used, .* Transactions of the role "\w+" are read-only\. Turn/,
      ),
    ]);
  });
});
