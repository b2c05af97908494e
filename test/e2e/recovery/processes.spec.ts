import { randomUUID } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { cleanUpAfterTest } from '../../helpers/cleanup.js';
import { aSchemaName, dropSchema, openPool } from '../../helpers/postgres.js';
import { keysBelow } from '../../helpers/redis-inbox.js';
import { describeWithService } from '../../helpers/services.js';
import { sqliteFile } from '../../helpers/sqlite-files.js';
import { EVENTS, KILLS, LIMIT_MS, LOST, type Rehearsed, rehearse, type Transport } from './rehearsal.js';

const TRANSPORTS: readonly Transport[] = ['request', 'workers'];

function expectEachOnce({ effects, lost }: Rehearsed): void {
  expect(lost.size).toBe(LOST);
  expect(effects).toHaveLength(EVENTS);
  expect(new Set(effects).size).toBe(EVENTS);
}

/** Events that happened at the same time have no order. */
function expectOldestFirst(events: Rehearsed['effects']): void {
  const times = events.map(({ occurred_at }) => occurred_at);
  expect(times).toEqual([...times].sort());
}

/** What was recovered was handled oldest first: in the request all of it, by workers that of each user. */
function expectOrder({ effects, lost }: Rehearsed, transport: Transport): void {
  const recovered = [...new Set(effects)].filter(({ id }) => lost.has(id));
  const lineOf = ({ data }: (typeof recovered)[number]) => transport === 'workers' && data.user?.id;
  for (const line of new Set(recovered.map(lineOf))) {
    expectOldestFirst(recovered.filter((event) => lineOf(event) === line));
  }
}

describe(`An outage in which ${LOST} of ${EVENTS} events are lost, and ${KILLS} crashes during the recovery, on SQLite`, () => {
  it.each(TRANSPORTS)(
    'leave each event handled exactly once and in order, with handlers in the %s',
    async (transport) => {
      const rehearsed = await rehearse('sqlite', transport, await sqliteFile());

      expectEachOnce(rehearsed);
      expectOrder(rehearsed, transport);
    },
    LIMIT_MS,
  );
});

await describeWithService('postgres', 'The same outage on Postgres', () => {
  it.each(TRANSPORTS)(
    'leaves each event handled exactly once and in order, with handlers in the %s',
    async (transport) => {
      const schema = aSchemaName();
      const pool = openPool({ max: 1 });
      cleanUpAfterTest(async () => {
        await dropSchema(pool, schema);
        await pool.end();
      });

      const rehearsed = await rehearse('postgres', transport, schema);

      expectEachOnce(rehearsed);
      expectOrder(rehearsed, transport);
    },
    LIMIT_MS,
  );
});

await describeWithService('redis', 'The same outage on Redis', (url) => {
  it(
    'leaves each event handled in order, and repeats only what a crash interrupted',
    async () => {
      const keyPrefix = `test:${randomUUID()}`;
      const client = new Redis(url);
      cleanUpAfterTest(async () => {
        for (const key of await keysBelow(client, keyPrefix)) await client.del(key);
        await client.quit();
      });

      const rehearsed = await rehearse('redis', 'request', keyPrefix);

      const { effects, lost } = rehearsed;
      expect(lost.size).toBe(LOST);
      expect(new Set(effects).size).toBe(EVENTS);
      // Redis has no transactions: the recovered event and the delivery in progress may have had their effect.
      expect(effects.length - EVENTS).toBeLessThanOrEqual(2 * KILLS);
      expectOrder(rehearsed, 'request');
    },
    LIMIT_MS,
  );
});
