import { afterEach, describe, expect, it, jest } from '@jest/globals';
import type { InboxStore } from 'nestjs-scalekit-webhooks';
import {
  PostgresInboxStore,
  type PostgresQueryable,
  preparedQueryable,
  prismaQueryable,
} from '../../../lib/postgres/index.js';
import { aLease, anEvent, FAILURE } from '../../conformance/inbox-store.harness.js';
import { openPool, passTime } from '../../helpers/postgres.js';
import { PostgresLedger } from '../../helpers/postgres-ledger.js';
import { RecordingClient } from '../../helpers/recording-client.js';
import { describeWithService } from '../../helpers/services.js';

const DAY_MS = 24 * 60 * 60 * 1000;

await describeWithService('postgres', 'PostgresInboxStore', () => {
  const ledger = PostgresLedger.use();

  function storeOn(client: PostgresQueryable, options: { retentionMs?: number } = {}) {
    return new PostgresInboxStore({ client, schema: ledger.schema, ...options });
  }

  it('takes two round trips a delivery, however many handlers there are', async () => {
    const client = new RecordingClient(ledger.pool);
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

  it('gives back the bytes that it was given', async () => {
    const payload = Uint8Array.from({ length: 70_000 }, (_, index) => index % 256);
    const [event, empty] = [anEvent({ payload }), anEvent({ payload: new Uint8Array() })];
    await ledger.store.claim(event, [], aLease());
    await ledger.store.claim(empty, [], aLease());

    expect(Buffer.compare((await ledger.store.payload(event)) ?? Buffer.from('none'), payload)).toBe(0);
    expect(await ledger.store.payload(empty)).toHaveLength(0);
  });

  it('refuses a cursor that is none of its own', async () => {
    await expect(ledger.store.list({}, { cursor: '1; DROP' })).rejects.toMatchObject({ setting: 'cursor' });
    await expect(ledger.store.list({}, { cursor: '' })).rejects.toMatchObject({ setting: 'cursor' });
  });

  it('leaves the client of its caller open', async () => {
    const store = storeOn(ledger.pool);
    await store.close();

    expect((await ledger.pool.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
  });

  describe('does the same through', () => {
    const clients: Record<string, () => PostgresQueryable> = {
      TypeORM: () => ({
        query: async (text, values) => {
          const { command, rows, rowCount } = await ledger.pool.query(text, values);
          return command === 'UPDATE' || command === 'DELETE' ? [rows, { rowCount }].flat() : rows;
        },
      }),
      Prisma: () =>
        prismaQueryable({
          $queryRawUnsafe: async (text, ...values) => (await ledger.pool.query(text, values)).rows,
        }),
      'prepared statements': () => preparedQueryable(ledger.pool),
      'a pool with type parsers of its own': () => ({
        query: (text, values) =>
          ledger.pool.query({ text, values, types: { getTypeParser: () => (value: string) => value } }),
      }),
    };

    it.each(Object.keys(clients))('%s', async (name) => {
      const store: InboxStore = storeOn(clients[name]?.() ?? ledger.pool);
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
      expect(await store.get(event)).toEqual(await ledger.store.get(event));
      expect(await store.list()).toEqual(await ledger.store.list());
      expect(await store.count()).toBe(1);
      expect(Buffer.from((await store.payload(event)) ?? []).toString()).toBe('bytes');
      await store.settle(event, [{ handlerId: 'A.run', state: 'done' }], second);
      await store.settle(event, [{ handlerId: 'B.run', state: 'done' }], first);
      expect(await store.reopen(event, ['A.run', 'B.run'])).toEqual(['A.run', 'B.run']);
      expect(await store.prune(new Date('2999-01-01'))).toBe(1);
    });
  });

  it('prepares a statement once for a connection', async () => {
    const pool = openPool({ max: 1 });
    try {
      const store = storeOn(preparedQueryable(pool));
      await store.migrate();
      for (const eventId of ['evt_1', 'evt_2']) {
        const [event, lease] = [anEvent({ eventId }), aLease()];
        await store.claim(event, ['A.run'], lease);
        await store.settle(event, [{ handlerId: 'A.run', state: 'done' }], lease);
      }

      const { rows } = await pool.query(
        "SELECT name FROM pg_prepared_statements WHERE statement LIKE '%lease_token%'",
      );
      expect(rows).toHaveLength(2);
    } finally {
      await pool.end();
    }
  });

  it("goes by the server's clock alone", async () => {
    const event = anEvent();
    const now = jest.spyOn(Date, 'now');
    try {
      now.mockReturnValue(new Date('2001-01-01').getTime());
      await ledger.store.claim(event, ['A.run'], aLease());
      now.mockReturnValue(new Date('2101-01-01').getTime());

      expect((await ledger.store.claim(event, ['A.run'], aLease())).get('A.run')).toMatchObject({
        state: 'running',
      });
    } finally {
      now.mockRestore();
    }
    const entry = await ledger.store.get(event);
    expect(Math.abs((entry?.receivedAt.getTime() ?? 0) - Date.now())).toBeLessThan(DAY_MS);
  });

  describe('forgets', () => {
    it('what is older than 30 days when it is used, and keeps the rest', async () => {
      const [old, recent] = [anEvent(), anEvent()];
      await ledger.store.claim(old, [], aLease());
      await passTime(ledger.pool, ledger.schema, 2 * DAY_MS);
      await ledger.store.claim(recent, [], aLease());
      await passTime(ledger.pool, ledger.schema, 29 * DAY_MS);

      const store = storeOn(ledger.pool);
      await store.claim(anEvent(), [], aLease());
      await store.close();

      expect(await store.get(old)).toBeUndefined();
      expect(await store.get(recent)).toBeDefined();
    });

    it('what is older than it is told to keep', async () => {
      const old = anEvent();
      await ledger.store.claim(old, [], aLease());
      await passTime(ledger.pool, ledger.schema, 1000);

      const store = storeOn(ledger.pool, { retentionMs: 500 });
      await store.claim(anEvent(), [], aLease());
      await store.close();

      expect(await store.get(old)).toBeUndefined();
    });

    it('more than fits one statement', async () => {
      await ledger.pool.query(
        `INSERT INTO "${ledger.schema}".inbox_events (endpoint, event_id, type, occurred_at, payload)
         SELECT 'default', 'evt_' || number, 'user.created', '', '' FROM generate_series(1, 1200) AS number`,
      );

      expect(await ledger.store.prune(new Date('2999-01-01'))).toBe(1200);
    });

    it('later where the database fails meanwhile, with no harm to the claim', async () => {
      const failing: PostgresQueryable = {
        query: (text, values) =>
          text.includes('forgotten') ? Promise.reject(new Error('down')) : ledger.pool.query(text, values),
      };
      const store = storeOn(failing);

      expect((await store.claim(anEvent(), ['A.run'], aLease())).size).toBe(1);
      await expect(store.close()).resolves.toBeUndefined();
    });
  });

  describe('rejects, and is well again,', () => {
    const pools: { end(): Promise<void> }[] = [];

    afterEach(async () => {
      await Promise.all(pools.splice(0).map((pool) => pool.end()));
    });

    it('where no server listens', async () => {
      const pool = openPool({ connectionString: 'postgres://postgres@127.0.0.1:1/test' });
      pools.push(pool);
      let client: PostgresQueryable = pool;
      const store = storeOn({ query: (text, values) => client.query(text, values) });

      await expect(store.ping()).rejects.toThrow();
      await expect(store.claim(anEvent(), ['A.run'], aLease())).rejects.toMatchObject({
        code: 'ECONNREFUSED',
      });
      client = ledger.pool;
      await expect(store.ping()).resolves.toBeUndefined();
    });

    it('where a statement takes longer than the client allows', async () => {
      const event = anEvent();
      const transaction = await ledger.begin();
      await ledger.storeIn(transaction).claim(event, ['A.run'], aLease());
      const pool = openPool({ statement_timeout: 300 });
      pools.push(pool);
      const store = storeOn(pool);

      await expect(store.claim(event, ['A.run'], aLease())).rejects.toMatchObject({ code: '57014' });
      await ledger.commit(transaction);
      expect((await store.claim(event, ['A.run'], aLease())).get('A.run')).toMatchObject({
        state: 'running',
      });
    });

    it('where the server ends the connection', async () => {
      const event = anEvent();
      const transaction = await ledger.begin();
      await ledger.storeIn(transaction).claim(event, ['A.run'], aLease());
      const pool = openPool({ application_name: ledger.schema });
      pool.on('error', () => {});
      pools.push(pool);
      const store = storeOn(pool);

      const claim = store.claim(event, ['A.run'], aLease());
      const rejected = expect(claim).rejects.toMatchObject({ code: '57P01' });
      await ledger.untilBlocked();
      await ledger.pool.query(
        'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1',
        [ledger.schema],
      );
      await rejected;
      await ledger.rollback(transaction);
      expect((await store.claim(event, ['A.run'], aLease())).get('A.run')).toMatchObject({
        state: 'claimed',
      });
    });
  });
});
