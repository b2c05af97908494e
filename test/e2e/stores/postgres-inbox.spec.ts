import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { InboxStore } from 'nestjs-scalekit-webhooks';
import type { Pool } from 'pg';
import { PostgresInboxStore, type PostgresQueryable, prismaQueryable } from '../../../lib/postgres/index.js';
import { aLease, anEvent, FAILURE } from '../../conformance/inbox-store.harness.js';
import { openPool, passTime, RecordingClient } from '../../helpers/postgres.js';
import { PostgresFixture } from '../../helpers/postgres-fixture.js';
import { describeWithService } from '../../helpers/services.js';

const DAY_MS = 24 * 60 * 60 * 1000;

await describeWithService('postgres', 'PostgresInboxStore', () => {
  const postgres = PostgresFixture.use();

  function storeOn(client: PostgresQueryable, options: { retentionMs?: number } = {}) {
    return new PostgresInboxStore({ client, application: 'test', schema: postgres.schema, ...options });
  }

  it('takes two round trips per delivery, for any number of handlers', async () => {
    const client = new RecordingClient(postgres.pool);
    const store = storeOn(client);
    await store.claim(anEvent(), ['A.run'], aLease());
    await store.close();
    client.statements.length = 0;

    const event = anEvent();
    const lease = aLease();
    const handlerIds = Array.from({ length: 20 }, (_, number) => `Handler${number}.run`);
    await store.claim(event, handlerIds, lease);
    const settlements = handlerIds.map((handlerId) => ({ handlerId, state: 'done' as const }));
    expect(await store.settle(event, settlements, lease)).toHaveLength(20);
    await store.claim(event, handlerIds, aLease());

    expect(client.statements).toHaveLength(3);
  });

  it('returns the payload byte for byte', async () => {
    const payload = Uint8Array.from({ length: 70_000 }, (_, index) => index % 256);
    const [event, empty] = [anEvent({ payload }), anEvent({ payload: new Uint8Array() })];
    await postgres.store.claim(event, [], aLease());
    await postgres.store.claim(empty, [], aLease());

    expect(Buffer.compare((await postgres.store.payload(event)) ?? Buffer.from('none'), payload)).toBe(0);
    expect(await postgres.store.payload(empty)).toHaveLength(0);
  });

  it('rejects a cursor that it did not return', async () => {
    await expect(postgres.store.list({}, { cursor: '1; DROP' })).rejects.toMatchObject({ setting: 'cursor' });
    await expect(postgres.store.list({}, { cursor: '' })).rejects.toMatchObject({ setting: 'cursor' });
  });

  it('does not close the client', async () => {
    const store = storeOn(postgres.pool);
    await store.close();

    expect((await postgres.pool.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
  });

  describe('works the same with', () => {
    const clients: Record<string, () => PostgresQueryable> = {
      TypeORM: () => ({
        query: async (text, values) => {
          const { command, rows, rowCount } = await postgres.pool.query(text, values);
          return command === 'UPDATE' || command === 'DELETE' ? [rows, { rowCount }].flat() : rows;
        },
      }),
      Prisma: () =>
        prismaQueryable({
          $queryRawUnsafe: async (text, ...values) => (await postgres.pool.query(text, values)).rows,
        }),
      'another client than a pool': () => ({
        query: (text, values) => postgres.pool.query(text, values),
      }),
      'a pool with custom type parsers': () => ({
        query: (text, values) =>
          postgres.pool.query({ text, values, types: { getTypeParser: () => (value: string) => value } }),
      }),
    };

    it.each(Object.keys(clients))('%s', async (name) => {
      const store: InboxStore = storeOn(clients[name]?.() ?? postgres.pool);
      const event = anEvent({ payload: Buffer.from('bytes') });
      const [first, second] = [aLease(), aLease()];
      await store.claim(event, ['A.run', 'B.run'], first);
      const running = (await store.claim(event, ['A.run'], second)).get('A.run');
      const written = await store.settle(
        event,
        [{ handlerId: 'A.run', state: 'failed', error: FAILURE }],
        first,
      );

      expect(running).toEqual({ state: 'running', leaseEndsInMs: expect.any(Number) });
      expect(written).toEqual(['A.run']);
      expect((await store.claim(event, ['A.run'], second)).get('A.run')).toEqual({
        state: 'claimed',
        attempt: 2,
      });
      expect(await store.get(event)).toEqual(await postgres.store.get(event));
      expect(await store.list()).toEqual(await postgres.store.list());
      expect(await store.count()).toBe(1);
      expect(Buffer.from((await store.payload(event)) ?? []).toString()).toBe('bytes');
      await store.settle(event, [{ handlerId: 'A.run', state: 'done' }], second);
      await store.settle(event, [{ handlerId: 'B.run', state: 'done' }], first);
      expect(await store.reopen(event, ['A.run', 'B.run'])).toEqual(['A.run', 'B.run']);
      expect(await store.prune(new Date('2999-01-01'))).toBe(1);
    });
  });

  describe('prepares statements:', () => {
    let pool: Pool;

    beforeEach(() => {
      pool = openPool({ max: 1 });
    });

    afterEach(() => pool.end());

    /** Delivers events, and returns how many statements the connection has prepared for them. */
    async function deliver(store: InboxStore, eventIds: readonly string[]): Promise<number> {
      for (const eventId of eventIds) {
        const [event, lease] = [anEvent({ eventId }), aLease()];
        await store.claim(event, ['A.run'], lease);
        expect(await store.settle(event, [{ handlerId: 'A.run', state: 'done' }], lease)).toEqual(['A.run']);
      }
      const { rows } = await pool.query(
        "SELECT FROM pg_prepared_statements WHERE statement LIKE '%lease_token%' AND statement NOT LIKE '%DELETE%'",
      );
      return rows.length;
    }

    it('each one once per connection', async () => {
      expect(await deliver(storeOn(pool), ['evt_1', 'evt_2'])).toBe(2);
    });

    it('none, if preparedStatements is false', async () => {
      const client = pool;
      const { schema } = postgres;
      const store = new PostgresInboxStore({
        client,
        application: 'test',
        schema,
        preparedStatements: false,
      });

      expect(await deliver(store, ['evt_1', 'evt_2'])).toBe(0);
    });

    it('no longer, with one warning, if the pooler loses them', async () => {
      const store = storeOn(pool);
      const warnings: string[] = [];
      store.onWarning((warning) => warnings.push(warning));
      await deliver(store, ['evt_1']);
      await pool.query('DEALLOCATE ALL');

      expect(await deliver(store, ['evt_2', 'evt_3'])).toBe(0);
      expect(warnings).toEqual([expect.stringContaining('set preparedStatements: false')]);
    });

    it('no longer, if the pooler gives it a connection on which another process has prepared them', async () => {
      await deliver(storeOn(pool), ['evt_1']);
      const forgetful = Object.assign(Object.create(pool), {
        async query(...args: Parameters<Pool['query']>) {
          const client = await pool.connect();
          // Each process that shares the connection knows only what it has prepared itself.
          Object.assign(Reflect.get(client, 'connection'), { parsedStatements: {} });
          try {
            return await client.query(...args);
          } finally {
            client.release();
          }
        },
      });

      expect(await deliver(storeOn(forgetful), ['evt_2', 'evt_3'])).toBe(2);
    });
  });

  it('takes the time only from the clock of the server', async () => {
    const event = anEvent();
    const now = jest.spyOn(Date, 'now');
    try {
      now.mockReturnValue(new Date('2001-01-01').getTime());
      await postgres.store.claim(event, ['A.run'], aLease());
      now.mockReturnValue(new Date('2101-01-01').getTime());

      expect((await postgres.store.claim(event, ['A.run'], aLease())).get('A.run')).toMatchObject({
        state: 'running',
      });
    } finally {
      now.mockRestore();
    }
    const entry = await postgres.store.get(event);
    expect(Math.abs((entry?.receivedAt.getTime() ?? 0) - Date.now())).toBeLessThan(DAY_MS);
  });

  describe('prunes', () => {
    it('events older than 30 days while it is used, and keeps the others', async () => {
      const [old, recent] = [anEvent(), anEvent()];
      await postgres.store.claim(old, [], aLease());
      await passTime(postgres.pool, postgres.schema, 2 * DAY_MS);
      await postgres.store.claim(recent, [], aLease());
      await passTime(postgres.pool, postgres.schema, 29 * DAY_MS);

      const store = storeOn(postgres.pool);
      await store.claim(anEvent(), [], aLease());
      await store.close();

      expect(await store.get(old)).toBeUndefined();
      expect(await store.get(recent)).toBeDefined();
    });

    it('events older than retentionMs', async () => {
      const old = anEvent();
      await postgres.store.claim(old, [], aLease());
      await passTime(postgres.pool, postgres.schema, 1000);

      const store = storeOn(postgres.pool, { retentionMs: 500 });
      await store.claim(anEvent(), [], aLease());
      await store.close();

      expect(await store.get(old)).toBeUndefined();
    });

    it('more events than fit into one statement', async () => {
      await postgres.pool.query(
        `INSERT INTO "${postgres.schema}".inbox_events (application, endpoint, event_id, type, occurred_at, payload)
         SELECT 'test', 'default', 'evt_' || number, 'user.created', '', '' FROM generate_series(1, 1200) AS number`,
      );

      expect(await postgres.store.prune(new Date('2999-01-01'))).toBe(1200);
    });

    it('later if pruning fails, and the claim still succeeds', async () => {
      const failing: PostgresQueryable = {
        query: (text, values) =>
          text.includes('forgotten') ? Promise.reject(new Error('down')) : postgres.pool.query(text, values),
      };
      const store = storeOn(failing);

      expect((await store.claim(anEvent(), ['A.run'], aLease())).size).toBe(1);
      await expect(store.close()).resolves.toBeUndefined();
    });
  });

  describe('rejects, and recovers,', () => {
    const pools: { end(): Promise<void> }[] = [];

    afterEach(async () => {
      await Promise.all(pools.splice(0).map((pool) => pool.end()));
    });

    it('if no server listens', async () => {
      const pool = openPool({ connectionString: 'postgres://postgres@127.0.0.1:1/test' });
      pools.push(pool);
      let client: PostgresQueryable = pool;
      const store = storeOn({ query: (text, values) => client.query(text, values) });

      await expect(store.ping()).rejects.toThrow();
      await expect(store.claim(anEvent(), ['A.run'], aLease())).rejects.toMatchObject({
        code: 'ECONNREFUSED',
      });
      client = postgres.pool;
      await expect(store.ping()).resolves.toBeUndefined();
    });

    it('if a statement exceeds the timeout of the client', async () => {
      const event = anEvent();
      const transaction = await postgres.begin();
      await postgres.storeIn(transaction).claim(event, ['A.run'], aLease());
      const pool = openPool({ statement_timeout: 300 });
      pools.push(pool);
      const store = storeOn(pool);

      await expect(store.claim(event, ['A.run'], aLease())).rejects.toMatchObject({ code: '57014' });
      await postgres.commit(transaction);
      expect((await store.claim(event, ['A.run'], aLease())).get('A.run')).toMatchObject({
        state: 'running',
      });
    });

    it('if the server ends the connection', async () => {
      const event = anEvent();
      const transaction = await postgres.begin();
      await postgres.storeIn(transaction).claim(event, ['A.run'], aLease());
      const pool = openPool({ application_name: postgres.schema });
      pool.on('error', () => {});
      pools.push(pool);
      const store = storeOn(pool);

      const claim = store.claim(event, ['A.run'], aLease());
      const rejected = expect(claim).rejects.toMatchObject({ code: '57P01' });
      await postgres.untilBlocked();
      await postgres.pool.query(
        'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1',
        [postgres.schema],
      );
      await rejected;
      await postgres.rollback(transaction);
      expect((await store.claim(event, ['A.run'], aLease())).get('A.run')).toMatchObject({
        state: 'claimed',
      });
    });
  });
});
