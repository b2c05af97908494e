import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Redis } from 'ioredis';
import { PostgresInboxStore } from 'nestjs-scalekit-webhooks/postgres';
import { RedisInboxStore } from 'nestjs-scalekit-webhooks/redis';
import { SqliteInboxStore } from 'nestjs-scalekit-webhooks/sqlite';
import type { Pool } from 'pg';
import { aLease, anEvent } from '../../conformance/inbox-store.harness.js';
import { openPool, passTime } from '../../helpers/postgres.js';
import { PostgresFixture } from '../../helpers/postgres-fixture.js';
import { aUserCreated, startScriptedApp } from '../../helpers/scripted-app.js';
import { describeWithService } from '../../helpers/services.js';
import { openSqlite } from '../../helpers/sqlite-files.js';
import { ADAPTERS } from '../../helpers/test-app.js';

const HOUR_MS = 60 * 60 * 1000;

await describeWithService('postgres', 'Events that Postgres does not delete', () => {
  const postgres = PostgresFixture.use();
  const role = `test_${randomUUID().replaceAll('-', '')}`;
  let limited: Pool;

  beforeEach(async () => {
    await postgres.pool.query(`CREATE ROLE "${role}";
      GRANT USAGE ON SCHEMA "${postgres.schema}" TO "${role}";
      GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA "${postgres.schema}" TO "${role}"`);
    limited = openPool({ options: `-c role=${role}` });
    await postgres.store.claim(anEvent(), ['A.run'], aLease());
    await passTime(postgres.pool, postgres.schema, HOUR_MS);
  });

  afterEach(async () => {
    await limited.end();
    await postgres.pool.query(`DROP OWNED BY "${role}"; DROP ROLE "${role}"`);
  });

  function storeOn(client: Pool): PostgresInboxStore {
    const { schema } = postgres;
    return new PostgresInboxStore({ client, application: 'test', schema, retentionMs: 1000 });
  }

  const missingRight =
    /^Events older than retentionMs could not be deleted .*GRANT UPDATE, DELETE ON "test_\w+"\."inbox_events" TO/;

  it.each(ADAPTERS)(
    'for want of a right are one warning that names the right, at startup or with the first claim, on %s',
    async (_name, adapter) => {
      const inbox = storeOn(limited);
      const { scalekit, logger } = await startScriptedApp(adapter, { inbox });

      const answers = [await scalekit.deliver(aUserCreated()), await scalekit.deliver(aUserCreated())];
      await inbox.close();

      expect(answers.map(({ status }) => status)).toEqual([201, 201]);
      expect(logger.ours('warn')).toEqual([expect.stringMatching(missingRight)]);
      expect(await inbox.count()).toBe(3);
    },
  );

  it('for want of a right are a warning with the cause', async () => {
    const store = storeOn(limited);
    const report = jest.fn();
    store.onWarning(report);

    await store.claim(anEvent(), ['A.run'], aLease());
    await store.close();

    expect(report.mock.calls).toEqual([
      [
        expect.stringMatching(missingRight),
        expect.objectContaining({ message: 'permission denied for table inbox_events' }),
      ],
    ]);
  });

  it('because of a trigger are a warning, and pruning ends', async () => {
    await postgres.pool.query(
      `INSERT INTO "${postgres.schema}".inbox_events
          (application, endpoint, event_id, type, occurred_at, received_at, payload)
        SELECT 'test', 'default', 'evt_' || number, 'user.created', '', '2020-01-01', ''
        FROM generate_series(1, 600) AS number;
      CREATE FUNCTION "${postgres.schema}".keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
      CREATE TRIGGER keep BEFORE DELETE ON "${postgres.schema}".inbox_events
        FOR EACH ROW EXECUTE FUNCTION "${postgres.schema}".keep()`,
    );
    const store = storeOn(postgres.pool);
    const report = jest.fn();
    store.onWarning(report);
    try {
      await store.claim(anEvent(), ['A.run'], aLease());
      await store.close();

      expect(report.mock.calls).toEqual([
        [expect.stringMatching(/deleted none .*"inbox_events".* Check its triggers/)],
      ]);
      expect(await store.prune(new Date('2999-01-01'))).toBe(0);
    } finally {
      await postgres.pool.query(`DROP TRIGGER keep ON "${postgres.schema}".inbox_events`);
    }
  });
});

describe('Events that SQLite does not delete', () => {
  afterEach(() => {
    jest.useRealTimers();
  });

  it('are a warning once an hour, and do not fail claims', async () => {
    jest.useFakeTimers({ doNotFake: ['performance', 'nextTick', 'setImmediate', 'setTimeout'] });
    const database = openSqlite(':memory:');
    const store = new SqliteInboxStore({ database, retentionMs: 1000 });
    const report = jest.fn();
    store.onWarning(report);
    const event = anEvent();
    await store.claim(event, [], aLease());
    database.exec(`CREATE TRIGGER keep BEFORE DELETE ON scalekit_webhooks_events
      BEGIN SELECT RAISE(ABORT, 'kept'); END`);
    const claimLater = async (ms: number) => {
      jest.setSystemTime(Date.now() + ms);
      const claims = await store.claim(anEvent(), ['A.run'], aLease());
      expect(claims.get('A.run')).toMatchObject({ state: 'claimed' });
      return report.mock.calls.length;
    };

    expect(await claimLater(HOUR_MS)).toBe(1);
    expect(await claimLater(HOUR_MS - 1)).toBe(1);
    expect(await claimLater(1)).toBe(2);
    expect(report).toHaveBeenCalledWith(
      expect.stringMatching(/^Events older than retentionMs .*scalekit_webhooks_events.* Check for triggers/),
      expect.objectContaining({ message: expect.stringContaining('kept') }),
    );
    expect(await store.payload(event)).toEqual(event.payload);
  });
});

await describeWithService('redis', 'Events that Redis does not delete', (url) => {
  it('for want of a right fail the claim, which sets their expiry', async () => {
    const keyPrefix = `test:${randomUUID()}`;
    const user = `test-${randomUUID()}`;
    const admin = new Redis(url);
    await admin.call('ACL', 'SETUSER', user, 'on', '>secret', '~*', '+@all', '-pexpireat');
    const client = new Redis(url, { username: user, password: 'secret' });
    try {
      const store = new RedisInboxStore({ client, application: 'test', keyPrefix });

      await expect(store.claim(anEvent(), ['A.run'], aLease())).rejects.toThrow("can't run this command");
    } finally {
      await client.quit();
      for (const key of await admin.keys(`${keyPrefix}:*`)) await admin.del(key);
      await admin.call('ACL', 'DELUSER', user);
      await admin.quit();
    }
  });
});
