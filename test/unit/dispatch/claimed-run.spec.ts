import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { ClaimedRun } from '../../../lib/dispatch/claimed-run.js';
import type { EventHandler } from '../../../lib/dispatch/handler.registry.js';
import { ReceivedEvent } from '../../../lib/dispatch/received-event.js';
import type { ScalekitDelivery } from '../../../lib/dispatch/scalekit-delivery.js';
import { MemoryInboxStore } from '../../../lib/inbox/memory-inbox.store.js';
import { createScalekitEvent } from '../../../lib/testing/index.js';

const TIMEOUT_MS = 1000;

function runOf(handle: (delivery: ScalekitDelivery) => Promise<unknown>, retryable?: () => boolean) {
  const event = createScalekitEvent('user.created', {}, { seed: 1 });
  const handler: EventHandler = {
    id: 'A.run',
    patterns: ['*'],
    run: async (_, delivery) => handle(delivery),
  };
  return new ClaimedRun({
    handler,
    attempt: 1,
    received: new ReceivedEvent({ event, issues: [] }, { deliveryId: 'msg_1', rawBody: Buffer.alloc(0) }),
    context: { event, endpoint: 'default', headers: {} },
    timeoutMs: TIMEOUT_MS,
    inbox: new MemoryInboxStore(),
    running: new Set(),
    source: 'request',
    log: { staleRun: () => {} },
    retryable,
    lease: { token: 'lease_1', durationMs: 2 * TIMEOUT_MS },
  });
}

describe('A run of a handler', () => {
  it('shows a transport that stores it neither the event nor the lease', () => {
    const run = runOf(async () => {});

    expect({ ...run, execute: undefined }).toStrictEqual({
      handlerId: 'A.run',
      attempt: 1,
      timeoutMs: TIMEOUT_MS,
      execute: undefined,
    });
    expect(inspect(run, { showHidden: true, depth: 10 })).not.toMatch(/user\.created|lease_1/);
  });

  beforeEach(() => {
    jest.useFakeTimers();
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  it('fires the signal that its handler took, at the deadline', async () => {
    let signal: AbortSignal | undefined;
    const run = runOf(async (delivery) => {
      signal = delivery.signal;
      await new Promise((resolve) => setTimeout(resolve, 2 * TIMEOUT_MS));
    });
    const ended = run.execute();

    await jest.advanceTimersByTimeAsync(TIMEOUT_MS - 1);
    expect([signal?.aborted, run.isOverdue]).toEqual([false, false]);
    await jest.advanceTimersByTimeAsync(1);
    expect([signal?.aborted, run.isOverdue]).toEqual([true, true]);
    await jest.advanceTimersByTimeAsync(TIMEOUT_MS);
    await ended;
  });

  it('gives a handler that asks after the deadline a signal that has fired', async () => {
    let aborted: boolean | undefined;
    const run = runOf(async (delivery) => {
      await new Promise((resolve) => setTimeout(resolve, 2 * TIMEOUT_MS));
      aborted = delivery.signal.aborted;
    });
    const ended = run.execute();

    await jest.advanceTimersByTimeAsync(2 * TIMEOUT_MS);
    await ended;
    expect(aborted).toBe(true);
  });

  it('gives the same signal each time', async () => {
    const signals = new Set<AbortSignal>();
    await runOf(async (delivery) => signals.add(delivery.signal).add(delivery.signal)).execute();

    expect(signals.size).toBe(1);
  });

  it('is not overdue once it has ended in time', async () => {
    const run = runOf(async () => undefined);
    await run.execute();

    await jest.advanceTimersByTimeAsync(2 * TIMEOUT_MS);
    expect(run.isOverdue).toBe(false);
  });

  it('lets its handler take complete() out of the delivery', async () => {
    let failure: unknown;
    await runOf(async ({ complete }) => {
      failure = await complete({ query() {} }).catch((error) => error);
    }).execute();

    expect(failure).toMatchObject({ code: 'lease_lost' });
  });

  it.each([
    ['is opened before the deadline is over at the deadline', 0],
    ['would be opened after the deadline does not begin', TIMEOUT_MS + 1],
  ])('rejects a transaction: one that %s', async (_when, delayMs) => {
    const begun: string[] = [];
    let failure: unknown;
    const run = runOf(async ({ transaction }) => {
      await new Promise((resolve) => setTimeout(resolve, delayMs));
      failure = await transaction(async () => {
        begun.push('work');
        await new Promise(() => {});
      }).catch((error) => error);
    });
    const ended = run.execute();

    await jest.advanceTimersByTimeAsync(TIMEOUT_MS + delayMs);
    expect(failure).toMatchObject({ code: 'transaction_timeout', handlerId: 'A.run' });
    expect(begun).toEqual(delayMs === 0 ? ['work'] : []);
    expect(await ended).toMatchObject({ state: 'failed', error: { name: 'TransactionNotCommittedError' } });
  });

  it('has failed, and is not dead, if its transaction was not committed, whatever counts as retryable', async () => {
    const run = runOf(
      async ({ transaction }) => transaction(async () => Promise.reject(new Error('broken'))).catch(() => {}),
      () => false,
    );

    expect(await run.execute()).toMatchObject({
      state: 'failed',
      error: { name: 'TransactionNotCommittedError' },
    });
  });
});
