import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import {
  type EventTransport,
  type HandlerBatch,
  MemoryInboxStore,
  type RunSettlement,
} from 'nestjs-scalekit-webhooks';
import { InlineTransport } from '../../../lib/dispatch/inline.transport.js';
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

describe('A delivery whose inbox', () => {
  it('refuses the claim is unavailable, and runs nothing', async () => {
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

  it('throws instead of rejecting is unavailable too', async () => {
    const inbox = new MemoryInboxStore();
    jest.spyOn(inbox, 'claim').mockImplementation(() => {
      throw DOWN;
    });
    const { engine } = setUp({ 'A.run': succeed }, { inbox });

    const processing = engine.deliver(aDelivery());
    await jest.advanceTimersByTimeAsync(HANDLER_TIMEOUT_MS + GRACE_MS);

    expect(await processing).toMatchObject({ outcome: 'unavailable' });
  });

  it('refuses the claim and the settlement once is tried again, and each handler still runs once', async () => {
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

  it('takes the settlement only after the answer has it tried again until the lease ends', async () => {
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

  it('does not answer the claim is unavailable before the sender gives up', async () => {
    const inbox = new MemoryInboxStore();
    jest.spyOn(inbox, 'claim').mockReturnValueOnce(deferred<never>().promise);
    const { engine, log } = setUp({ 'A.run': succeed }, { inbox });

    const processing = engine.deliver(aDelivery());
    await jest.advanceTimersByTimeAsync(HANDLER_TIMEOUT_MS + GRACE_MS);

    expect(await processing).toMatchObject({ outcome: 'unavailable' });
    expect(log.faults).toEqual(['claim_failed: the inbox did not answer in time']);
  });

  it('answers the claim too late gets it back, so that the retry need not wait for the lease', async () => {
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

  it('has nothing to give back of a late answer that claimed nothing', async () => {
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

  it('refuses the claim after it was too slow is only logged', async () => {
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

  it('has several runs in progress asks for a retry after the longest of their leases', async () => {
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

  it('says nothing of a handler is unavailable, not ignored', async () => {
    const inbox = new MemoryInboxStore();
    jest.spyOn(inbox, 'claim').mockResolvedValueOnce(new Map());
    const { engine } = setUp({ 'A.run': succeed }, { inbox });

    expect(await engine.deliver(aDelivery())).toEqual({
      outcome: 'unavailable',
      handlers: [{ handlerId: 'A.run', state: 'not_started' }],
    });
  });

  it('refuses to settle is unavailable, and what the handlers did is still told', async () => {
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

  it('lost the results has the handlers run again once the lease has ended', async () => {
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

  it('settles too slowly is unavailable, and the retry a duplicate once it has', async () => {
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

  it('refuses a late result is only logged', async () => {
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

  it('forgot the event meanwhile is told of as a lost lease, and the work stays done', async () => {
    const inbox = new MemoryInboxStore();
    jest.spyOn(inbox, 'settle').mockResolvedValueOnce([]);
    const { engine, log } = setUp({ 'A.run': succeed }, { inbox });

    expect(await engine.deliver(aDelivery())).toMatchObject({ outcome: 'processed' });
    expect(log.faults).toEqual(['lease_lost']);
  });

  it.each([1, 2, 25])('is asked twice however many handlers there are, such as %i', async (count) => {
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

  it('is asked once where there is nothing left to do', async () => {
    const inbox = new MemoryInboxStore();
    const { engine } = setUp({ 'A.run': succeed }, { inbox });
    await engine.deliver(aDelivery());
    const settle = jest.spyOn(inbox, 'settle');

    await engine.deliver(aDelivery());

    expect(settle).not.toHaveBeenCalled();
  });
});

describe('A delivery whose transport', () => {
  it('stores the runs is accepted, and again when it comes again', async () => {
    const transport = aTransport(queued);
    const { engine } = setUp({ 'A.run': succeed }, { transport });

    const outcomes = [await engine.deliver(aDelivery()), await engine.deliver(aDelivery())];

    expect(outcomes.map(({ outcome }) => outcome)).toEqual(['accepted', 'accepted']);
    expect(transport.start).toHaveBeenCalledTimes(1);
  });

  it('has a worker that takes a run before it is recorded as queued is accepted all the same', async () => {
    const inbox = new MemoryInboxStore();
    jest.spyOn(inbox, 'settle').mockResolvedValueOnce([]);
    const { engine, log } = setUp({ 'A.run': succeed }, { inbox, transport: aTransport(queued) });

    expect(await engine.deliver(aDelivery())).toMatchObject({ outcome: 'accepted' });
    expect(log.faults).toEqual([]);
  });

  it('gets the event, its bytes and its runs in one batch', async () => {
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
      leaseToken: expect.any(String),
      runs: [
        expect.objectContaining({ handlerId: 'A.run', attempt: 1 }),
        expect.objectContaining({ handlerId: 'B.run', attempt: 1 }),
      ],
    });
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
  ])('%s is unavailable, and its claims are released for the retry', async (_, broken) => {
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

  it('cannot take one of several runs keeps the others, and the retry starts that one alone', async () => {
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

  it('cannot take one of several runs waits for the siblings that are running', async () => {
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

  it('fails after the deadline has its claim released then', async () => {
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
