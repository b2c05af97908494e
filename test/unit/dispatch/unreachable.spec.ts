import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import {
  type EventTransport,
  type HandlerBatch,
  MemoryInboxStore,
  type RunSettlement,
} from 'nestjs-scalekit-webhooks';
import { InlineTransport } from '../../../lib/dispatch/run.engine.js';
import { deferred } from '../../helpers/deferred.js';
import { aDelivery, GRACE_MS, HANDLER_TIMEOUT_MS, LEASE_MS, setUp } from './run-engine.fixtures.js';

const succeed = async () => {};
const DOWN = new Error('connection refused');

function aTransport(start: EventTransport['start']): EventTransport & { start: jest.Mock<typeof start> } {
  return { start: jest.fn(start) };
}

function queued({ runs }: HandlerBatch): Promise<RunSettlement>[] {
  return runs.map(async ({ handlerId }): Promise<RunSettlement> => ({ handlerId, state: 'queued' }));
}

beforeEach(() => {
  jest.useFakeTimers();
});

afterEach(() => {
  jest.useRealTimers();
});

describe('a delivery', () => {
  it('is unavailable and runs nothing if the inbox rejects the claim', async () => {
    const inbox = new MemoryInboxStore();
    jest.spyOn(inbox, 'claim').mockRejectedValue(DOWN);
    const handler = jest.fn(succeed);
    const { engine, log } = setUp({ 'A.run': handler }, { inbox });

    const processing = engine.deliver(aDelivery());
    await jest.advanceTimersByTimeAsync(HANDLER_TIMEOUT_MS + GRACE_MS);

    expect(await processing).toEqual({ outcome: 'unavailable', handlers: [] });
    expect(handler).not.toHaveBeenCalled();
    expect(log.faults).toEqual(['claim_failed: connection refused']);
  });

  it('is unavailable if the inbox throws instead of rejecting', async () => {
    const inbox = new MemoryInboxStore();
    jest.spyOn(inbox, 'claim').mockImplementation(() => {
      throw DOWN;
    });
    const { engine } = setUp({ 'A.run': succeed }, { inbox });

    const processing = engine.deliver(aDelivery());
    await jest.advanceTimersByTimeAsync(HANDLER_TIMEOUT_MS + GRACE_MS);

    expect(await processing).toMatchObject({ outcome: 'unavailable' });
  });

  it('runs each handler once if the inbox fails for a moment at the claim and the settlement', async () => {
    const inbox = new MemoryInboxStore();
    jest.spyOn(inbox, 'claim').mockRejectedValueOnce(DOWN);
    jest.spyOn(inbox, 'settle').mockRejectedValueOnce(DOWN).mockRejectedValueOnce(DOWN);
    const handler = jest.fn(succeed);
    const { engine, log } = setUp({ 'A.run': handler }, { inbox });

    const processing = engine.deliver(aDelivery());
    await jest.advanceTimersByTimeAsync(1000);

    expect(await processing).toMatchObject({ outcome: 'processed' });
    expect(await engine.deliver(aDelivery())).toMatchObject({ outcome: 'duplicate' });
    expect(handler).toHaveBeenCalledTimes(1);
    expect(log.faults).toEqual([]);
  });

  it('runs each handler once if the inbox claims it but the answer is lost', async () => {
    const inbox = new MemoryInboxStore();
    const claim = inbox.claim.bind(inbox);
    jest.spyOn(inbox, 'claim').mockImplementationOnce(async (...args) => {
      await claim(...args);
      throw DOWN;
    });
    const handler = jest.fn(succeed);
    const { engine, log } = setUp({ 'A.run': handler }, { inbox });

    const processing = engine.deliver(aDelivery());
    await jest.advanceTimersByTimeAsync(1000);

    expect(await processing).toMatchObject({ outcome: 'processed' });
    expect(await engine.deliver(aDelivery())).toMatchObject({ outcome: 'duplicate' });
    expect(handler).toHaveBeenCalledTimes(1);
    expect(log.faults).toEqual([]);
  });

  it('is settled after its answer if the inbox recovers before the lease ends', async () => {
    const inbox = new MemoryInboxStore();
    const settle = inbox.settle.bind(inbox);
    const refuse = jest.spyOn(inbox, 'settle').mockRejectedValue(DOWN);
    const { engine } = setUp({ 'A.run': succeed }, { inbox });

    const processing = engine.deliver(aDelivery());
    await jest.advanceTimersByTimeAsync(HANDLER_TIMEOUT_MS + GRACE_MS);
    expect(await processing).toMatchObject({ outcome: 'unavailable' });
    refuse.mockImplementation(settle);
    await jest.advanceTimersByTimeAsync(1000);

    expect(await engine.deliver(aDelivery())).toMatchObject({ outcome: 'duplicate' });
  });

  it('is unavailable, before the sender gives up, if the claim takes too long', async () => {
    const inbox = new MemoryInboxStore();
    jest.spyOn(inbox, 'claim').mockReturnValueOnce(deferred<never>().promise);
    const { engine, log } = setUp({ 'A.run': succeed }, { inbox });

    const processing = engine.deliver(aDelivery());
    await jest.advanceTimersByTimeAsync(HANDLER_TIMEOUT_MS + GRACE_MS);

    expect(await processing).toMatchObject({ outcome: 'unavailable' });
    expect(log.faults).toEqual(['claim_failed: the inbox did not answer in time']);
  });

  it('gives back a claim that came too late, so that the retry need not wait for the lease', async () => {
    const inbox = new MemoryInboxStore();
    const gate = deferred();
    const claim = inbox.claim.bind(inbox);
    jest.spyOn(inbox, 'claim').mockImplementationOnce(async (...args) => {
      await gate.promise;
      return claim(...args);
    });
    const handler = jest.fn(succeed);
    const { engine } = setUp({ 'A.run': handler }, { inbox });
    const processing = engine.deliver(aDelivery());
    await jest.advanceTimersByTimeAsync(HANDLER_TIMEOUT_MS + GRACE_MS);
    await processing;
    gate.resolve();
    await engine.drain();

    expect(handler).not.toHaveBeenCalled();
    expect(await engine.deliver(aDelivery())).toMatchObject({ outcome: 'processed' });
  });

  it('gives back nothing if the late answer claimed nothing', async () => {
    const inbox = new MemoryInboxStore();
    const { engine } = setUp({ 'A.run': succeed }, { inbox });
    await engine.deliver(aDelivery());
    const answer = deferred<ReadonlyMap<string, { state: 'done' }>>();
    jest.spyOn(inbox, 'claim').mockReturnValueOnce(answer.promise);
    const settle = jest.spyOn(inbox, 'settle');

    const processing = engine.deliver(aDelivery());
    await jest.advanceTimersByTimeAsync(HANDLER_TIMEOUT_MS + GRACE_MS);
    await processing;
    answer.resolve(new Map([['A.run', { state: 'done' }]]));
    await engine.drain();

    expect(settle).not.toHaveBeenCalled();
  });

  it('only logs a slow claim that fails in the end', async () => {
    const inbox = new MemoryInboxStore();
    const answer = deferred<never>();
    jest.spyOn(inbox, 'claim').mockReturnValueOnce(answer.promise);
    const { engine, log } = setUp({ 'A.run': succeed }, { inbox });

    const processing = engine.deliver(aDelivery());
    await jest.advanceTimersByTimeAsync(HANDLER_TIMEOUT_MS + GRACE_MS);
    await processing;
    answer.reject(DOWN);
    await engine.drain();

    expect(log.faults).toEqual([
      'claim_failed: the inbox did not answer in time',
      'claim_failed: connection refused',
    ]);
  });

  it('asks for a retry after the longest lease if several runs are in progress', async () => {
    const inbox = new MemoryInboxStore();
    const running = (leaseEndsInMs: number) => ({ state: 'running' as const, leaseEndsInMs });
    const claims = { 'A.run': running(1000), 'B.run': running(7001), 'C.run': running(3000) };
    jest.spyOn(inbox, 'claim').mockResolvedValueOnce(new Map(Object.entries(claims)));
    const { engine } = setUp({ 'A.run': succeed, 'B.run': succeed, 'C.run': succeed }, { inbox });

    expect(await engine.deliver(aDelivery())).toMatchObject({
      outcome: 'unavailable',
      retryAfterSeconds: 8,
    });
  });

  it('is unavailable, not ignored, if the inbox returns no claim for a handler', async () => {
    const inbox = new MemoryInboxStore();
    jest.spyOn(inbox, 'claim').mockResolvedValueOnce(new Map());
    const { engine } = setUp({ 'A.run': succeed }, { inbox });

    expect(await engine.deliver(aDelivery())).toEqual({
      outcome: 'unavailable',
      handlers: [{ handlerId: 'A.run', state: 'not_started' }],
    });
  });

  it('is unavailable if the inbox fails to settle, and still reports what the handlers did', async () => {
    const inbox = new MemoryInboxStore();
    jest.spyOn(inbox, 'settle').mockRejectedValue(DOWN);
    const { engine, log } = setUp(
      { 'A.run': succeed, 'B.run': () => Promise.reject(new Error('broken')) },
      { inbox },
    );

    const processing = engine.deliver(aDelivery());
    await jest.advanceTimersByTimeAsync(LEASE_MS);

    expect(await processing).toMatchObject({
      outcome: 'unavailable',
      handlers: [{ state: 'done' }, { state: 'failed', error: { message: 'broken' } }],
    });
    expect(log.faults).toEqual([
      'settle_failed: the inbox did not answer in time',
      'settle_failed: connection refused',
    ]);
  });

  it('runs its handlers again after the lease if the results were lost', async () => {
    const inbox = new MemoryInboxStore();
    const refuse = jest.spyOn(inbox, 'settle').mockRejectedValue(DOWN);
    const handler = jest.fn(succeed);
    const { engine } = setUp({ 'A.run': handler }, { inbox });
    const processing = engine.deliver(aDelivery());
    await jest.advanceTimersByTimeAsync(HANDLER_TIMEOUT_MS + GRACE_MS);
    await processing;

    expect(await engine.deliver(aDelivery())).toMatchObject({
      outcome: 'unavailable',
      retryAfterSeconds: Math.ceil((LEASE_MS - HANDLER_TIMEOUT_MS - GRACE_MS) / 1000),
    });
    await jest.advanceTimersByTimeAsync(LEASE_MS);
    refuse.mockRestore();
    expect(await engine.deliver(aDelivery())).toMatchObject({ outcome: 'processed' });
    expect(handler).toHaveBeenCalledTimes(2);
  });

  it('is unavailable if settling takes too long, and a duplicate once it has settled', async () => {
    const inbox = new MemoryInboxStore();
    const gate = deferred();
    const settle = inbox.settle.bind(inbox);
    jest.spyOn(inbox, 'settle').mockImplementationOnce(async (...args) => {
      await gate.promise;
      return settle(...args);
    });
    const { engine, log } = setUp({ 'A.run': succeed }, { inbox });
    const processing = engine.deliver(aDelivery());
    await jest.advanceTimersByTimeAsync(HANDLER_TIMEOUT_MS + GRACE_MS);
    expect(await processing).toMatchObject({ outcome: 'unavailable' });
    gate.resolve();
    await engine.drain();

    expect(await engine.deliver(aDelivery())).toMatchObject({ outcome: 'duplicate' });
    expect(log.faults).toEqual(['settle_failed: the inbox did not answer in time']);
  });

  it('only logs a late result that cannot be settled', async () => {
    const inbox = new MemoryInboxStore();
    const gate = deferred();
    const { engine, log } = setUp({ 'A.run': () => gate.promise }, { inbox });
    const processing = engine.deliver(aDelivery());
    await jest.advanceTimersByTimeAsync(HANDLER_TIMEOUT_MS);
    await processing;
    jest.spyOn(inbox, 'settle').mockRejectedValue(DOWN);
    gate.resolve();
    await jest.advanceTimersByTimeAsync(LEASE_MS);
    await engine.drain();

    expect(log.faults).toEqual(['settle_failed: connection refused']);
  });

  it('is processed, and reports a lost lease, if the inbox forgot the event meanwhile', async () => {
    const inbox = new MemoryInboxStore();
    jest.spyOn(inbox, 'settle').mockResolvedValueOnce([]);
    const { engine, log } = setUp({ 'A.run': succeed }, { inbox });

    expect(await engine.deliver(aDelivery())).toMatchObject({ outcome: 'processed' });
    expect(log.faults).toEqual(['lease_lost']);
  });

  it.each([1, 2, 25])('calls the inbox twice, whatever the number of handlers: %i', async (count) => {
    const inbox = new MemoryInboxStore();
    const calls: string[] = [];
    const counted = new Proxy(inbox, {
      get(target, name) {
        const member: unknown = Reflect.get(target, name);
        if (typeof member !== 'function') return member;
        return (...args: unknown[]) => {
          calls.push(String(name));
          return Reflect.apply(member, target, args);
        };
      },
    });
    const handlers = Array.from({ length: count }, (_, number) => [`H.${number}`, succeed] as const);
    const { engine } = setUp(Object.fromEntries(handlers), { inbox: counted });

    await engine.deliver(aDelivery());

    expect(calls).toEqual(['claim', 'settle']);
  });

  it('does not settle if there is nothing left to do', async () => {
    const inbox = new MemoryInboxStore();
    const { engine } = setUp({ 'A.run': succeed }, { inbox });
    await engine.deliver(aDelivery());
    const settle = jest.spyOn(inbox, 'settle');

    await engine.deliver(aDelivery());

    expect(settle).not.toHaveBeenCalled();
  });
});

describe('a delivery through a transport', () => {
  it('is accepted once the runs are stored, and again when it is repeated', async () => {
    const transport = aTransport(queued);
    const { engine } = setUp({ 'A.run': succeed }, { transport });

    const outcomes = [await engine.deliver(aDelivery()), await engine.deliver(aDelivery())];

    expect(outcomes.map(({ outcome }) => outcome)).toEqual(['accepted', 'accepted']);
    expect(transport.start).toHaveBeenCalledTimes(1);
  });

  it('is accepted even if a worker takes a run before it is recorded as queued', async () => {
    const inbox = new MemoryInboxStore();
    jest.spyOn(inbox, 'settle').mockResolvedValueOnce([]);
    const { engine, log } = setUp({ 'A.run': succeed }, { inbox, transport: aTransport(queued) });

    expect(await engine.deliver(aDelivery())).toMatchObject({ outcome: 'accepted' });
    expect(log.faults).toEqual([]);
  });

  it('passes the event, its raw body and its runs on in one batch', async () => {
    const transport = aTransport(queued);
    const { engine } = setUp({ 'A.run': succeed, 'B.run': succeed }, { transport });
    const delivery = aDelivery();

    await engine.deliver(delivery);

    expect(transport.start).toHaveBeenCalledWith({
      endpoint: 'default',
      event: delivery.event,
      rawBody: delivery.rawBody,
      deliveryId: delivery.deliveryId,
      receivedAt: delivery.receivedAt,
      headers: {},
      isInInbox: false,
      leaseToken: expect.any(String),
      runs: [
        expect.objectContaining({ handlerId: 'A.run', attempt: 1 }),
        expect.objectContaining({ handlerId: 'B.run', attempt: 1 }),
      ],
    });
  });

  it('passes the headers on, but none that holds a credential', async () => {
    const transport = aTransport(queued);
    const { engine } = setUp({ 'A.run': succeed }, { transport });
    const carried = { 'content-type': 'application/json', 'webhook-id': 'msg_1', 'x-tag': ['a', 'b'] };
    const credentials = {
      authorization: 'Bearer made-up',
      'x-serverless-authorization': 'Bearer made-up',
      'proxy-authorization': 'Basic made-up',
      cookie: 'session=made-up',
      'webhook-signature': 'v1,made-up',
      'scalekit-signature': 'v1=made-up',
      'x-auth-token': 'made-up',
      'x-api-key': 'made-up',
      'x-shared-secret': 'made-up',
      'cf-access-jwt-assertion': 'made-up',
    };

    await engine.deliver(aDelivery({ headers: { ...carried, ...credentials } }));

    expect(transport.start.mock.calls[0]?.[0].headers).toEqual(carried);
  });

  it.each<[string, EventTransport['start']]>([
    [
      'throws',
      () => {
        throw DOWN;
      },
    ],
    ['rejects every run', ({ runs }) => runs.map(() => Promise.reject(DOWN))],
    ['returns too few promises', () => []],
  ])('is unavailable if the transport %s, and releases its claims for the retry', async (_, broken) => {
    const transport = aTransport(queued);
    transport.start.mockImplementationOnce(broken);
    const { engine, log } = setUp({ 'A.run': succeed, 'B.run': succeed }, { transport });

    expect(await engine.deliver(aDelivery())).toEqual({
      outcome: 'unavailable',
      handlers: [
        { handlerId: 'A.run', state: 'not_started' },
        { handlerId: 'B.run', state: 'not_started' },
      ],
    });
    expect(log.faults).toHaveLength(2);
    expect(log.faults[0]).toMatch(/^start_failed: /);
    expect(await engine.deliver(aDelivery())).toMatchObject({ outcome: 'accepted' });
  });

  it('keeps the started runs if one cannot be started, and the retry starts only that one', async () => {
    const transport = aTransport(queued);
    transport.start.mockImplementationOnce((batch) => [Promise.reject(DOWN), ...queued(batch).slice(1)]);
    const { engine } = setUp({ 'A.run': succeed, 'B.run': succeed }, { transport });

    expect(await engine.deliver(aDelivery())).toMatchObject({
      outcome: 'unavailable',
      handlers: [{ state: 'not_started' }, { state: 'queued' }],
    });
    await engine.deliver(aDelivery());

    const [, second] = transport.start.mock.calls;
    expect(second?.[0].runs.map(({ handlerId }) => handlerId)).toEqual(['A.run']);
  });

  it('waits for the started runs if one cannot be started', async () => {
    const gate = deferred();
    const inline = new InlineTransport();
    const transport = aTransport((batch) => [Promise.reject(DOWN), ...inline.start(batch).slice(1)]);
    const { engine, inbox } = setUp({ 'A.run': succeed, 'B.run': () => gate.promise }, { transport });
    const answered = jest.fn();

    const processing = engine.deliver(aDelivery()).finally(answered);
    await jest.advanceTimersByTimeAsync(1000);
    expect(answered).not.toHaveBeenCalled();
    gate.resolve();
    await processing;

    const [entry] = (await inbox.list()).entries;
    expect(entry?.runs).toMatchObject([{ state: 'failed' }, { state: 'done' }]);
  });

  it('releases its claim if the transport fails after the deadline', async () => {
    const { promise, reject } = deferred<RunSettlement>();
    const transport = aTransport(queued);
    transport.start.mockReturnValueOnce([promise]);
    const { engine, log } = setUp({ 'A.run': succeed }, { transport });
    const processing = engine.deliver(aDelivery());
    await jest.advanceTimersByTimeAsync(HANDLER_TIMEOUT_MS);
    expect(await processing).toMatchObject({ outcome: 'unavailable' });
    reject(DOWN);
    await engine.drain();

    expect(log.faults).toEqual(['start_failed: connection refused']);
    expect(await engine.deliver(aDelivery())).toMatchObject({ outcome: 'accepted' });
  });
});
