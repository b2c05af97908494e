import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { MemoryInboxStore, NonRetryableEventError } from 'nestjs-scalekit-webhooks';
import { createScalekitEvent } from 'nestjs-scalekit-webhooks/testing';
import type { QueuedAttempt } from '../../../lib/dispatch/event-transport.js';
import { type EventHandler, HandlerRegistry } from '../../../lib/dispatch/handler.registry.js';
import { ReceivedEvent } from '../../../lib/dispatch/received-event.js';
import { InlineTransport, RunEngine } from '../../../lib/dispatch/run.engine.js';
import { parseReceivedEvent } from '../../../lib/parse/parse-event.js';

const EVENT = createScalekitEvent('user.created', {}, { seed: 1 });
const KEY = { endpoint: 'default', eventId: EVENT.id };
const DELIVERY_LEASE = { token: 'delivery', durationMs: 1000 };
const RUN = {
  handlerId: 'A.run',
  rawBody: Buffer.from(JSON.stringify(EVENT)),
  deliveryId: 'msg_1',
  receivedAt: new Date(0),
  headers: {},
  leaseToken: DELIVERY_LEASE.token,
};
const ATTEMPT: QueuedAttempt = { timeoutMs: 100, isLast: false };

describe('a queued run', () => {
  let inbox: MemoryInboxStore;
  let run: jest.Mock<EventHandler['run']>;
  const log = {
    queuedEnd: jest.fn(),
    staleRun: jest.fn(),
    attemptFailed: jest.fn(),
    fault: jest.fn(),
    result: jest.fn(),
    lateEnd: jest.fn(),
  };

  beforeEach(async () => {
    jest.clearAllMocks();
    inbox = new MemoryInboxStore();
    run = jest.fn<EventHandler['run']>().mockResolvedValue(undefined);
    const event = { ...KEY, type: EVENT.type, occurredAt: EVENT.occurred_at, payload: RUN.rawBody };
    await inbox.claim(event, ['A.run'], DELIVERY_LEASE);
  });

  afterEach(() => {
    jest.useRealTimers();
  });

  function process(
    attempt = ATTEMPT,
    validation: 'strict' | 'off' = 'strict',
    handlerId = 'A.run',
    options: Pick<EventHandler, 'latestOnly'> = {},
  ) {
    const registry = new HandlerRegistry([{ id: handlerId, patterns: ['*'], run, ...options }]);
    const engine = new RunEngine(registry, {
      endpoint: 'default',
      inbox,
      transport: new InlineTransport(),
      handlerTimeoutMs: 9000,
      log,
    });
    const received = new ReceivedEvent(parseReceivedEvent(RUN.rawBody, validation), RUN);
    return engine.attemptQueued({ received }, RUN.handlerId, attempt, RUN.leaseToken);
  }

  const queue = () => inbox.settle(KEY, [{ handlerId: 'A.run', state: 'queued' }], DELIVERY_LEASE);
  const row = async () => (await inbox.get(KEY))?.runs[0];

  it.each(['strict', 'off'] as const)('runs its handler once, with validation %s', async (validation) => {
    await queue();

    expect(await process(ATTEMPT, validation)).toEqual({ state: 'done' });
    expect(await process(ATTEMPT, validation)).toEqual({ state: 'done' });
    expect(run).toHaveBeenCalledTimes(1);
    expect(await row()).toMatchObject({ state: 'done', attempts: 1 });
  });

  it('is taken over from its delivery, before the row says that it is queued', async () => {
    expect(await process()).toEqual({ state: 'done' });
    expect(await row()).toMatchObject({ state: 'done', attempts: 1 });
  });

  it('runs once if the inbox claims it but the answer is lost', async () => {
    const claim = inbox.claim.bind(inbox);
    jest.spyOn(inbox, 'claim').mockImplementationOnce(async (...args) => {
      await claim(...args);
      throw new Error('connection lost');
    });

    expect(await process()).toEqual({ state: 'done' });
    expect(run).toHaveBeenCalledTimes(1);
    expect(await row()).toMatchObject({ state: 'done', attempts: 1 });
  });

  it('is queued again when it fails, and dead when it fails for the last time', async () => {
    run.mockRejectedValue(new TypeError('tenant is undefined'));
    const error = { name: 'TypeError', message: 'tenant is undefined' };

    expect(await process()).toEqual({ state: 'failed', error });
    expect(await row()).toMatchObject({ state: 'queued', attempts: 1, error });
    expect(await process({ ...ATTEMPT, isLast: true })).toEqual({ state: 'dead', error });
    expect(await row()).toMatchObject({ state: 'dead', attempts: 2, error });
    expect(log.attemptFailed.mock.calls.map(([, failure]) => failure)).toMatchObject([
      { attempt: 1, state: 'queued', thrown: expect.any(TypeError) },
      { attempt: 2, state: 'dead', thrown: expect.any(TypeError) },
    ]);
  });

  it('goes back to the queue without an attempt while another event of its entity is handled', async () => {
    jest.spyOn(inbox, 'admit').mockResolvedValue('busy');
    await queue();

    const ending = process(ATTEMPT, 'strict', 'A.run', { latestOnly: true });

    expect(await ending).toEqual({ state: 'busy', retryInMs: expect.any(Number) });
    expect(run).not.toHaveBeenCalled();
    expect(await row()).toMatchObject({ state: 'queued', attempts: 0 });
    expect(log.attemptFailed).not.toHaveBeenCalled();
  });

  it('is dead at once where its handler refuses the event for good', async () => {
    run.mockRejectedValue(new NonRetryableEventError('not ours'));

    expect(await process()).toMatchObject({ state: 'dead' });
  });

  it('stays dead where its job is tried again', async () => {
    run.mockRejectedValueOnce(new NonRetryableEventError('not ours'));
    await process();

    expect(await process()).toMatchObject({
      state: 'dead',
      error: { message: expect.stringMatching(/Replay/) },
    });
    expect(run).toHaveBeenCalledTimes(1);
  });

  it('waits while another worker holds its lease', async () => {
    jest.useFakeTimers({ now: 0, doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask'] });
    run.mockReturnValueOnce(new Promise(() => {}));
    void process();
    await jest.advanceTimersByTimeAsync(0);

    expect(await process()).toEqual({ state: 'busy', retryInMs: expect.any(Number) });
  });

  it('is given up by its worker when its handler does not end within the lease', async () => {
    jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask'] });
    run.mockReturnValueOnce(new Promise(() => {}));
    const ended = process();

    await jest.advanceTimersByTimeAsync(2 * ATTEMPT.timeoutMs);

    expect(await ended).toMatchObject({
      state: 'failed',
      error: { message: expect.stringMatching(/signal/) },
    });
    expect(log.attemptFailed).toHaveBeenCalledWith(
      expect.anything(),
      expect.objectContaining({ state: 'queued', limit: 'handlerTimeoutMs (100 ms)' }),
    );
  });

  it('fails where this process does not have its handler', async () => {
    expect(await process(ATTEMPT, 'strict', 'B.run')).toMatchObject({
      state: 'failed',
      error: { message: expect.stringMatching(/A\.run/) },
    });
  });

  it('reports a lease that was lost', async () => {
    jest.spyOn(inbox, 'settle').mockResolvedValueOnce([]);

    await process();

    expect(log.fault).toHaveBeenCalledWith(
      'lease_lost',
      expect.objectContaining({ event: expect.anything() }),
    );
  });
});
