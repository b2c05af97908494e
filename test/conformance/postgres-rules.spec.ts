import { expect, it } from '@jest/globals';
import fc from 'fast-check';
import { type InboxWorkStore, MemoryInboxStore, type RunSettlement } from 'nestjs-scalekit-webhooks';
import { PostgresFixture } from '../helpers/postgres-fixture.js';
import { describeWithService } from '../helpers/services.js';
import { anEvent } from './inbox-store.harness.js';

const HANDLERS = ['A.run', 'B.run', 'C.run'];
const RUNS = 100;

const handlerIds = fc.subarray(HANDLERS, { minLength: 1 });
// A lease with a negative duration has ended at once, by every clock.
const claim = fc.record({
  step: fc.constant('claim' as const),
  handlerIds,
  durationMs: fc.constantFrom(3_600_000, -1),
  takesOver: fc.option(fc.nat(7), { nil: undefined }),
  takesQueued: fc.boolean(),
  repeats: fc.option(fc.nat(7), { nil: undefined }),
  retryInMs: fc.constantFrom(undefined, -1, 3_600_000),
});
const settle = fc.record({
  step: fc.constant('settle' as const),
  lease: fc.nat(7),
  handlerIds,
  state: fc.constantFrom<RunSettlement['state']>('done', 'failed', 'dead', 'queued'),
  withError: fc.boolean(),
  retryInMs: fc.constantFrom(undefined, -1, 3_600_000),
});
const reopen = fc.record({
  step: fc.constant('reopen' as const),
  handlerIds: fc.option(handlerIds, { nil: undefined }),
});
const enqueue = fc.record({ step: fc.constant('enqueue' as const), handlerIds });
const take = fc.record({
  step: fc.constant('take' as const),
  handlerIds,
  durationMs: fc.constantFrom(3_600_000, -1),
});
const extend = fc.record({
  step: fc.constant('extend' as const),
  handlerIds,
  lease: fc.nat(7),
  durationMs: fc.constantFrom(3_600_000, -1),
});
const steps = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: claim },
    { weight: 3, arbitrary: settle },
    { weight: 2, arbitrary: enqueue },
    { weight: 3, arbitrary: take },
    extend,
    reopen,
  ),
  { maxLength: 18 },
);
type Steps = typeof steps extends fc.Arbitrary<infer T> ? T : never;

/** What a store returns for each step, and the runs that it holds in the end; without times. */
async function answers(store: InboxWorkStore, history: Steps): Promise<unknown[]> {
  const event = anEvent({ eventId: 'evt_1' });
  const given: unknown[] = [];
  for (const [index, step] of history.entries()) {
    if (step.step === 'claim') {
      const takesOver = step.takesOver === undefined ? {} : { takesOver: `lease ${step.takesOver}` };
      const token = `lease ${step.repeats ?? index}`;
      const retry = step.retryInMs === undefined ? {} : { retryInMs: step.retryInMs };
      const { durationMs, takesQueued } = step;
      const lease = { token, durationMs, takesQueued, ...takesOver, ...retry };
      const claims = await store.claim(event, step.handlerIds, lease);
      given.push(step.handlerIds.map((id) => ({ ...claims.get(id), leaseEndsInMs: undefined })));
    } else if (step.step === 'settle') {
      const error = step.withError ? { error: { name: 'Error', message: `of step ${index}` } } : {};
      const retry = step.retryInMs === undefined ? {} : { retryInMs: step.retryInMs };
      const ends = step.handlerIds.map((handlerId) => ({ handlerId, state: step.state, ...error, ...retry }));
      const lease = { token: `lease ${step.lease}`, durationMs: 1 };
      given.push([...(await store.settle(event, ends, lease))].sort());
    } else if (step.step === 'enqueue') {
      const states = await store.enqueue(event, step.handlerIds);
      given.push(step.handlerIds.map((id) => states.get(id)));
    } else if (step.step === 'take') {
      const lease = { token: `lease ${index}`, durationMs: step.durationMs };
      const request = { endpoint: event.endpoint, handlerIds: step.handlerIds, limit: 9, lease };
      const { runs } = await store.takeDue(request);
      const taken = runs.map(({ handlerId, attempt, workerAttempt }) => [handlerId, attempt, workerAttempt]);
      given.push(taken.sort());
    } else if (step.step === 'extend') {
      const lease = { token: `lease ${step.lease}`, durationMs: step.durationMs };
      for (const id of step.handlerIds) given.push(await store.extend(event, id, lease));
    } else {
      given.push([...(await store.reopen(event, step.handlerIds))].sort());
    }
  }
  const runs = (await store.get(event))?.runs ?? [];
  const timeless = runs.map((run) => ({ ...run, updatedAt: undefined }));
  return [...given, timeless.sort((one, other) => one.handlerId.localeCompare(other.handlerId))];
}

await describeWithService('postgres', 'The rules of claims on Postgres', () => {
  const postgres = PostgresFixture.use();

  it('match those of the memory store for every sequence of steps', async () => {
    await fc.assert(
      fc.asyncProperty(steps, async (history) => {
        await postgres.pool.query(`DELETE FROM "${postgres.schema}".inbox_events`);

        expect(await answers(postgres.store, history)).toEqual(
          await answers(new MemoryInboxStore(), history),
        );
      }),
      { numRuns: RUNS },
    );
  }, 60_000);
});
