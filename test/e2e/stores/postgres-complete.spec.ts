import { beforeEach, expect, it } from '@jest/globals';
import type { InboxEvent } from 'nestjs-scalekit-webhooks';
import { LeaseLostError, prismaQueryable } from '../../../lib/postgres/index.js';
import { aLease, anEvent, FAILURE } from '../../conformance/inbox-store.harness.js';
import { PostgresFixture } from '../../helpers/postgres-fixture.js';
import { describeWithService } from '../../helpers/services.js';

await describeWithService('postgres', 'PostgresInboxStore.complete', () => {
  const postgres = PostgresFixture.use();
  let event: InboxEvent;
  let effects: string;

  beforeEach(async () => {
    event = anEvent();
    effects = `"${postgres.schema}".effects`;
    await postgres.pool.query(
      `CREATE TABLE IF NOT EXISTS ${effects} (event_id text PRIMARY KEY); TRUNCATE ${effects}`,
    );
  });

  async function countEffects(): Promise<number> {
    const { rows } = await postgres.pool.query(`SELECT FROM ${effects}`);
    return rows.length;
  }

  /** Claims the run, and does the work in a transaction that stays open. */
  async function work(lease = aLease()) {
    await postgres.store.claim(event, ['A.run'], lease);
    const transaction = await postgres.begin();
    await transaction.query(`INSERT INTO ${effects} VALUES ($1)`, [event.eventId]);
    return { lease, transaction };
  }

  const asDone = [{ handlerId: 'A.run', state: 'done' as const }];
  const asFailed = [{ handlerId: 'A.run', state: 'failed' as const, error: FAILURE }];

  it('records the run with the commit, not before', async () => {
    const { lease, transaction } = await work();
    await postgres.store.complete(transaction, event, 'A.run', lease);
    expect(await postgres.store.get(event)).toMatchObject({ runs: [{ state: 'running' }] });

    await postgres.commit(transaction);

    expect(await postgres.store.get(event)).toMatchObject({ runs: [{ state: 'done', attempts: 1 }] });
    expect(await countEffects()).toBe(1);
  });

  it('records nothing if the transaction is rolled back', async () => {
    const { lease, transaction } = await work();
    await postgres.store.complete(transaction, event, 'A.run', lease);

    await postgres.rollback(transaction);

    expect(await countEffects()).toBe(0);
    expect(await postgres.store.settle(event, asFailed, lease)).toEqual(['A.run']);
    expect((await postgres.store.claim(event, ['A.run'], aLease())).get('A.run')).toEqual({
      state: 'claimed',
      attempt: 2,
    });
  });

  it('accepts the settlement that follows, also if it is repeated', async () => {
    const { lease, transaction } = await work();
    await postgres.store.complete(transaction, event, 'A.run', lease);
    await postgres.commit(transaction);

    expect(await postgres.store.settle(event, asDone, lease)).toEqual(['A.run']);
    expect(await postgres.store.settle(event, asDone, lease)).toEqual(['A.run']);
    expect(await postgres.store.get(event)).toMatchObject({ runs: [{ state: 'done', attempts: 1 }] });
  });

  it('keeps the run done if the handler fails after the commit', async () => {
    const { lease, transaction } = await work();
    await postgres.store.complete(transaction, event, 'A.run', lease);
    await postgres.commit(transaction);

    expect(await postgres.store.settle(event, asFailed, lease)).toEqual([]);
    expect((await postgres.store.claim(event, ['A.run'], aLease())).get('A.run')).toEqual({ state: 'done' });
  });

  it('rejects once the run is done, so that an effect is never committed twice', async () => {
    const { lease, transaction } = await work();
    await postgres.store.complete(transaction, event, 'A.run', lease);
    await postgres.commit(transaction);
    const second = await postgres.begin();

    await expect(postgres.store.complete(second, event, 'A.run', lease)).rejects.toThrow(LeaseLostError);
  });

  it('rejects if another attempt has taken over, so that the effect is rolled back', async () => {
    const { lease, transaction } = await work(aLease({ durationMs: -1 }));
    const second = aLease();
    await postgres.store.claim(event, ['A.run'], second);

    const completing = postgres.store.complete(transaction, event, 'A.run', lease);

    await expect(completing).rejects.toThrow(LeaseLostError);
    await expect(completing).rejects.toMatchObject({ code: 'lease_lost', handlerId: 'A.run' });
    await postgres.rollback(transaction);
    expect(await countEffects()).toBe(0);
    expect(await postgres.store.settle(event, asDone, second)).toEqual(['A.run']);
  });

  it('rejects if the event is unknown', async () => {
    const transaction = await postgres.begin();

    await expect(postgres.store.complete(transaction, event, 'A.run', aLease())).rejects.toThrow(
      LeaseLostError,
    );
  });

  it('succeeds after the lease has ended, if no other attempt has taken over', async () => {
    const { lease, transaction } = await work(aLease({ durationMs: -1 }));

    await postgres.store.complete(transaction, event, 'A.run', lease);
    await postgres.commit(transaction);

    expect((await postgres.store.claim(event, ['A.run'], aLease())).get('A.run')).toEqual({ state: 'done' });
  });

  it('makes a claim that would take over wait for the transaction', async () => {
    const { lease, transaction } = await work(aLease({ durationMs: -1 }));
    await postgres.store.complete(transaction, event, 'A.run', lease);

    const takeover = postgres.store.claim(event, ['A.run'], aLease());
    await postgres.untilBlocked();
    await postgres.commit(transaction);

    expect((await takeover).get('A.run')).toEqual({ state: 'done' });
  });

  it('works in a serializable transaction beside another delivery', async () => {
    const { lease, transaction } = await work();
    await transaction.query('ROLLBACK; BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT 1');
    await postgres.store.claim(event, ['A.run'], aLease());

    await postgres.store.complete(transaction, event, 'A.run', lease);

    await expect(postgres.commit(transaction)).resolves.toBeUndefined();
  });

  it('accepts the transactions of Prisma and TypeORM', async () => {
    const { lease, transaction } = await work();
    const rowsOf = async (text: string, values?: unknown[]) => (await transaction.query(text, values)).rows;
    const prisma = { $queryRawUnsafe: (text: string, ...values: unknown[]) => rowsOf(text, values) };

    await postgres.store.claim(event, ['B.run'], lease);

    await postgres.store.complete(prismaQueryable(prisma), event, 'A.run', lease);
    await postgres.store.complete({ query: rowsOf }, event, 'B.run', lease);

    await expect(postgres.store.complete({ query: rowsOf }, event, 'A.run', aLease())).rejects.toThrow(
      LeaseLostError,
    );
  });

  it.each([undefined, null, {}, 'tx', { query: 1 }])('rejects %j as a transaction', async (transaction) => {
    await expect(
      postgres.store.complete(transaction as never, event, 'A.run', aLease()),
    ).rejects.toMatchObject({
      code: 'configuration_invalid',
      setting: 'transaction',
    });
  });
});
