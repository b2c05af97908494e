import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { ExpressAdapter } from '@nestjs/platform-express';
import type { Pool } from 'pg';
import { PostgresInboxStore } from '../../../lib/postgres/index.js';
import { aLease, anEvent } from '../../conformance/inbox-store.harness.js';
import { aSchemaName, dropSchema, emptyInbox, openPool } from '../../helpers/postgres.js';
import { aUserCreated, startScriptedApp } from '../../helpers/scripted-app.js';
import { describeWithService } from '../../helpers/services.js';

const EVENTS = 500;

await describeWithService('postgres', 'On a database whose default isolation level is', () => {
  describe.each(['serializable', 'repeatable read'])('%s, PostgresInboxStore', (level) => {
    const schema = aSchemaName();
    let pool: Pool;

    function storeOn(name = schema) {
      return new PostgresInboxStore({ client: pool, application: 'test', schema: name });
    }

    beforeAll(async () => {
      const options = `-c default_transaction_isolation=${level.replace(' ', '\\ ')}`;
      pool = openPool({ max: 20, options });
      await storeOn().migrate();
    });

    beforeEach(() => emptyInbox(pool, schema));

    afterAll(async () => {
      await dropSchema(pool, schema);
      await pool.end();
    });

    it('is tested at this level', async () => {
      const { rows } = await pool.query('SHOW transaction_isolation');

      expect(rows).toEqual([{ transaction_isolation: level }]);
    });

    it(`runs each handler of ${EVENTS} events at once exactly once`, async () => {
      const { dispatcher, first, second, logger } = await startScriptedApp(() => new ExpressAdapter(), {
        inbox: storeOn(),
        handlerTimeoutMs: 30_000,
      });
      const events = Array.from({ length: EVENTS }, aUserCreated);

      const results = await Promise.all(events.map((event) => dispatcher.dispatch(event)));

      expect(results.filter(({ outcome }) => outcome !== 'processed')).toEqual([]);
      for (const handler of [first, second]) {
        expect(handler.mock.calls.map(([{ id }]) => id).sort()).toEqual(events.map(({ id }) => id).sort());
      }
      expect([...logger.ours('warn'), ...logger.ours('error')]).toEqual([]);
    }, 60_000);

    it('claims and settles 200 events at once without an error', async () => {
      const store = storeOn();
      const done = [{ handlerId: 'A.run', state: 'done' as const }];

      const settled = await Promise.allSettled(
        Array.from({ length: 200 }, async () => {
          const [event, lease] = [anEvent(), aLease({ durationMs: 60_000 })];
          await store.claim(event, ['A.run'], lease);
          return store.settle(event, done, lease);
        }),
      );

      expect(settled.filter(({ status }) => status === 'rejected')).toEqual([]);
    }, 30_000);

    it('gives each of 200 runs to exactly one worker while they are enqueued, taken and settled', async () => {
      const store = storeOn();
      const done = [{ handlerId: 'A.run', state: 'done' as const }];
      const events = Array.from({ length: 200 }, () => anEvent());
      const taken: string[] = [];
      const work = async () => {
        while (taken.length < events.length) {
          const lease = aLease({ durationMs: 60_000 });
          const request = { endpoint: 'default', handlerIds: ['A.run'], limit: 5, lease };
          const { runs } = await store.takeDue(request);
          taken.push(...runs.map(({ eventId }) => eventId));
          for (const run of runs) expect(await store.settle(run, done, lease)).toEqual(['A.run']);
        }
      };

      await Promise.all([
        ...events.map((event) => store.enqueue(event, ['A.run'])),
        ...Array.from({ length: 4 }, work),
      ]);

      expect(taken.sort()).toEqual(events.map(({ eventId }) => eventId).sort());
    }, 60_000);

    it('gives each run of one event to exactly one of 50 concurrent claimers', async () => {
      const event = anEvent();
      const store = storeOn();

      const answers = await Promise.all(
        Array.from({ length: 50 }, () => store.claim(event, ['A.run', 'B.run'], aLease())),
      );

      for (const handlerId of ['A.run', 'B.run']) {
        const claims = answers.map((answer) => answer.get(handlerId)?.state);
        expect(claims.filter((state) => state === 'claimed')).toHaveLength(1);
      }
    });

    it('creates its tables once, with ten stores at the same time', async () => {
      const other = aSchemaName();
      try {
        await Promise.all(Array.from({ length: 10 }, () => storeOn(other).ping()));

        const { rows } = await pool.query(`SELECT version FROM "${other}".inbox_migrations`);
        expect(rows.length).toBeGreaterThan(0);
      } finally {
        await dropSchema(pool, other);
      }
    });
  });
});
