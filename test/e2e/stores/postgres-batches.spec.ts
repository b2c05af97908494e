import { beforeEach, expect, it } from '@jest/globals';
import type { InboxEvent, InboxLease } from 'nestjs-scalekit-webhooks';
import { PostgresInboxStore } from '../../../lib/postgres/index.js';
import { aLease, anEvent } from '../../conformance/inbox-store.harness.js';
import { RecordingClient } from '../../helpers/postgres.js';
import { PostgresFixture } from '../../helpers/postgres-fixture.js';
import { describeWithService } from '../../helpers/services.js';

const DONE = [{ handlerId: 'A.run', state: 'done' as const }];

await describeWithService(
  'postgres',
  'Concurrent deliveries share the statements of PostgresInboxStore',
  () => {
    const postgres = PostgresFixture.use();
    let client: RecordingClient;
    let store: PostgresInboxStore;
    let deliveries: { readonly event: InboxEvent; readonly lease: InboxLease }[];

    beforeEach(async () => {
      client = new RecordingClient(postgres.pool);
      store = new PostgresInboxStore({ client, application: 'test', schema: postgres.schema });
      await store.claim(anEvent(), [], aLease());
      await store.close();
      client.statements.length = 0;
      deliveries = Array.from({ length: 20 }, () => ({ event: anEvent(), lease: aLease() }));
    });

    function claimAll() {
      return Promise.all(deliveries.map(({ event, lease }) => store.claim(event, ['A.run'], lease)));
    }

    it('and each gets its own claim and its own settlement', async () => {
      const claims = await claimAll();
      const settled = await Promise.all(
        deliveries.map(({ event, lease }) => store.settle(event, DONE, lease)),
      );

      expect(claims).toEqual(deliveries.map(() => new Map([['A.run', { state: 'claimed', attempt: 1 }]])));
      expect(settled).toEqual(deliveries.map(() => ['A.run']));
      for (const { event } of deliveries) {
        const entry = await postgres.store.get(event);
        expect(entry).toMatchObject({ type: event.type, occurredAt: event.occurredAt });
        expect(entry?.runs).toMatchObject([{ handlerId: 'A.run', state: 'done' }]);
        expect(Buffer.from((await store.payload(event)) ?? [])).toEqual(Buffer.from(event.payload));
      }
    });

    it('in far fewer statements than there are deliveries', async () => {
      await claimAll();
      expect(client.statements.length).toBeLessThanOrEqual(4);
      client.statements.length = 0;

      await Promise.all(deliveries.map(({ event, lease }) => store.settle(event, DONE, lease)));

      expect(client.statements.length).toBeLessThanOrEqual(4);
    });

    it('under leases of their own: of different length, to be taken over, and with workers', async () => {
      const [short, queued, retried] = [anEvent(), anEvent(), anEvent()];
      const queuedUnder = aLease();
      await store.claim(queued, ['A.run'], queuedUnder);
      await store.settle(queued, [{ handlerId: 'A.run', state: 'queued' }], queuedUnder);

      const [, , , takenOver] = await Promise.all([
        claimAll(),
        store.claim(short, ['A.run'], aLease({ durationMs: -1 })),
        store.claim(retried, ['A.run'], aLease({ durationMs: -1, retryInMs: -1 })),
        store.claim(queued, ['A.run'], aLease({ takesOver: queuedUnder.token })),
      ]);

      expect(takenOver.get('A.run')).toEqual({ state: 'claimed', attempt: 1 });
      const again = [short, ...deliveries.map(({ event }) => event)].map(async (event) => {
        return (await store.claim(event, ['A.run'], aLease())).get('A.run')?.state;
      });
      expect(await Promise.all(again)).toEqual(['claimed', ...deliveries.map(() => 'running')]);
      const request = { endpoint: 'default', handlerIds: ['A.run'], limit: 9, lease: aLease() };
      expect((await store.takeDue(request)).runs.map(({ eventId }) => eventId)).toEqual([retried.eventId]);
    });

    it('and copies of one delivery claim a run once', async () => {
      const event = anEvent();

      const claims = await Promise.all(deliveries.map(({ lease }) => store.claim(event, ['A.run'], lease)));

      expect(claims.map((claim) => claim.get('A.run')?.state).sort()).toEqual([
        'claimed',
        ...deliveries.slice(1).map(() => 'running'),
      ]);
    });

    it('but do not wait for a run that the transaction of a handler has locked', async () => {
      const [locked, ...others] = deliveries;
      if (!locked) throw new Error('There are deliveries');
      await store.claim(locked.event, ['A.run'], locked.lease);
      const transaction = await postgres.begin();
      await store.complete(transaction, locked.event, 'A.run', locked.lease);
      const claims = Promise.all(others.map(({ event, lease }) => store.claim(event, ['A.run'], lease)));
      const takeover = store.claim(locked.event, ['A.run'], { ...locked.lease, token: 'another' });

      expect(await claims).toHaveLength(others.length);
      const settlements = others.map(({ event, lease }) => store.settle(event, DONE, lease));
      const lockedSettlement = store.settle(locked.event, DONE, locked.lease);
      expect(await Promise.all(settlements)).toEqual(others.map(() => ['A.run']));
      await postgres.commit(transaction);

      expect((await takeover).get('A.run')?.state).toBe('running');
      expect(await lockedSettlement).toEqual(['A.run']);
    });

    it('but do not fail because of one that Postgres refuses', async () => {
      const refused = anEvent({ eventId: 'evt_refused' });
      await postgres.pool.query(`
      CREATE FUNCTION "${postgres.schema}".refuse() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN RAISE EXCEPTION 'refused' USING ERRCODE = 'P0001'; END $$;
      CREATE TRIGGER refuse BEFORE INSERT ON "${postgres.schema}".inbox_events FOR EACH ROW
        WHEN (NEW.event_id = 'evt_refused') EXECUTE FUNCTION "${postgres.schema}".refuse()`);
      try {
        const [claims, failed] = await Promise.allSettled([
          claimAll(),
          store.claim(refused, ['A.run'], aLease()),
        ]);

        expect(failed).toMatchObject({ status: 'rejected', reason: { code: 'P0001' } });
        expect(claims).toMatchObject({ status: 'fulfilled' });
        expect(await store.get(refused)).toBeUndefined();
      } finally {
        await postgres.pool.query(`DROP FUNCTION "${postgres.schema}".refuse() CASCADE`);
      }
    });
  },
);
