import { beforeEach, expect, it } from '@jest/globals';
import type { InboxEvent } from 'nestjs-scalekit-webhooks';
import { LeaseLostError, prismaQueryable } from '../../../lib/postgres/index.js';
import { aLease, anEvent, FAILURE } from '../../conformance/inbox-store.harness.js';
import { PostgresLedger } from '../../helpers/postgres-ledger.js';
import { describeWithService } from '../../helpers/services.js';

await describeWithService('postgres', 'A run that completes in its own transaction on Postgres', () => {
  const ledger = PostgresLedger.use();
  let event: InboxEvent;
  let effects: string;

  beforeEach(async () => {
    event = anEvent();
    effects = `"${ledger.schema}".effects`;
    await ledger.pool.query(
      `CREATE TABLE IF NOT EXISTS ${effects} (event_id text PRIMARY KEY); TRUNCATE ${effects}`,
    );
  });

  async function countEffects(): Promise<number> {
    const { rows } = await ledger.pool.query(`SELECT FROM ${effects}`);
    return rows.length;
  }

  /** Claims, and does the work in a transaction that is left open. */
  async function work(lease = aLease()) {
    await ledger.store.claim(event, ['A.run'], lease);
    const transaction = await ledger.begin();
    await transaction.query(`INSERT INTO ${effects} VALUES ($1)`, [event.eventId]);
    return { lease, transaction };
  }

  const asDone = [{ handlerId: 'A.run', state: 'done' as const }];
  const asFailed = [{ handlerId: 'A.run', state: 'failed' as const, error: FAILURE }];

  it('is done with the commit, and not before', async () => {
    const { lease, transaction } = await work();
    await ledger.store.complete(transaction, event, 'A.run', lease);
    expect(await ledger.store.get(event)).toMatchObject({ runs: [{ state: 'running' }] });

    await ledger.commit(transaction);

    expect(await ledger.store.get(event)).toMatchObject({ runs: [{ state: 'done', attempts: 1 }] });
    expect(await countEffects()).toBe(1);
  });

  it('is as little done as its effect where the transaction is rolled back', async () => {
    const { lease, transaction } = await work();
    await ledger.store.complete(transaction, event, 'A.run', lease);

    await ledger.rollback(transaction);

    expect(await countEffects()).toBe(0);
    expect(await ledger.store.settle(event, asFailed, lease)).toEqual(['A.run']);
    expect((await ledger.store.claim(event, ['A.run'], aLease())).get('A.run')).toEqual({
      state: 'claimed',
      attempt: 2,
    });
  });

  it('counts as written when it is settled as done, once', async () => {
    const { lease, transaction } = await work();
    await ledger.store.complete(transaction, event, 'A.run', lease);
    await ledger.commit(transaction);

    expect(await ledger.store.settle(event, asDone, lease)).toEqual(['A.run']);
    expect(await ledger.store.settle(event, asDone, lease)).toEqual([]);
    expect(await ledger.store.get(event)).toMatchObject({ runs: [{ state: 'done', attempts: 1 }] });
  });

  it('stays done where the handler fails after the commit', async () => {
    const { lease, transaction } = await work();
    await ledger.store.complete(transaction, event, 'A.run', lease);
    await ledger.commit(transaction);

    expect(await ledger.store.settle(event, asFailed, lease)).toEqual([]);
    expect((await ledger.store.claim(event, ['A.run'], aLease())).get('A.run')).toEqual({ state: 'done' });
  });

  it('may say so twice', async () => {
    const { lease, transaction } = await work();
    await ledger.store.complete(transaction, event, 'A.run', lease);

    await expect(ledger.store.complete(transaction, event, 'A.run', lease)).resolves.toBeUndefined();
  });

  it('rejects where another run has taken over, so that its effect is rolled back', async () => {
    const { lease, transaction } = await work(aLease({ durationMs: -1 }));
    const second = aLease();
    await ledger.store.claim(event, ['A.run'], second);

    const completing = ledger.store.complete(transaction, event, 'A.run', lease);

    await expect(completing).rejects.toThrow(LeaseLostError);
    await expect(completing).rejects.toMatchObject({ code: 'lease_lost', handlerId: 'A.run' });
    await ledger.rollback(transaction);
    expect(await countEffects()).toBe(0);
    expect(await ledger.store.settle(event, asDone, second)).toEqual(['A.run']);
  });

  it('rejects where its event is not known, or not any more', async () => {
    const transaction = await ledger.begin();

    await expect(ledger.store.complete(transaction, event, 'A.run', aLease())).rejects.toThrow(
      LeaseLostError,
    );
  });

  it('may be late, as long as nobody has taken over', async () => {
    const { lease, transaction } = await work(aLease({ durationMs: -1 }));

    await ledger.store.complete(transaction, event, 'A.run', lease);
    await ledger.commit(transaction);

    expect((await ledger.store.claim(event, ['A.run'], aLease())).get('A.run')).toEqual({ state: 'done' });
  });

  it('keeps whoever would take over waiting until its transaction ends', async () => {
    const { lease, transaction } = await work(aLease({ durationMs: -1 }));
    await ledger.store.complete(transaction, event, 'A.run', lease);

    const takeover = ledger.store.claim(event, ['A.run'], aLease());
    await ledger.untilBlocked();
    await ledger.commit(transaction);

    expect((await takeover).get('A.run')).toEqual({ state: 'done' });
  });

  it('is not disturbed by another delivery where its transaction is serializable', async () => {
    const { lease, transaction } = await work();
    await transaction.query('ROLLBACK; BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT 1');
    await ledger.store.claim(event, ['A.run'], aLease());

    await ledger.store.complete(transaction, event, 'A.run', lease);

    await expect(ledger.commit(transaction)).resolves.toBeUndefined();
  });

  it('takes the transactions of Prisma and of TypeORM', async () => {
    const { lease, transaction } = await work();
    const rowsOf = async (text: string, values?: unknown[]) => (await transaction.query(text, values)).rows;
    const prisma = { $queryRawUnsafe: (text: string, ...values: unknown[]) => rowsOf(text, values) };

    await ledger.store.complete(prismaQueryable(prisma), event, 'A.run', lease);
    await ledger.store.complete({ query: rowsOf }, event, 'A.run', lease);
    await expect(ledger.store.complete({ query: rowsOf }, event, 'A.run', aLease())).rejects.toThrow(
      LeaseLostError,
    );
  });

  it.each([undefined, null, {}, 'tx', { query: 1 }])('rejects %j as a transaction', async (transaction) => {
    await expect(ledger.store.complete(transaction, event, 'A.run', aLease())).rejects.toMatchObject({
      code: 'configuration_invalid',
      setting: 'transaction',
    });
  });
});
