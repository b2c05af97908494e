import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { HttpException, UnprocessableEntityException } from '@nestjs/common';
import { NonRetryableEventError, type ScalekitDelivery } from 'nestjs-scalekit-webhooks';
import { deferred } from '../../helpers/deferred.js';
import { aDelivery, HANDLER_TIMEOUT_MS, LEASE_MS, setUp } from './run-engine.fixtures.js';

describe('RunEngine', () => {
  beforeEach(() => {
    jest.useFakeTimers();
  });

  afterEach(() => {
    jest.useRealTimers();
  });

  it('starts all handlers, in their order, before any of them has ended', async () => {
    const gate = deferred();
    const started: string[] = [];
    const handler = (id: string) => async () => {
      started.push(id);
      await gate.promise;
    };
    const { engine } = setUp({ 'A.run': handler('A'), 'B.run': handler('B'), 'C.run': handler('C') });

    const processing = engine.deliver(aDelivery());
    await jest.advanceTimersByTimeAsync(0);

    expect(started).toEqual(['A', 'B', 'C']);
    gate.resolve();
    expect(await processing).toMatchObject({ outcome: 'processed' });
  });

  it('waits for the slowest handler when another has failed', async () => {
    const gate = deferred();
    const { engine } = setUp({
      'A.run': () => Promise.reject(new Error('broken')),
      'B.run': () => gate.promise,
    });
    const answered = jest.fn();

    const processing = engine.deliver(aDelivery()).finally(answered);
    await jest.advanceTimersByTimeAsync(HANDLER_TIMEOUT_MS - 1);

    expect(answered).not.toHaveBeenCalled();
    gate.resolve();
    expect(await processing).toEqual({
      outcome: 'failed',
      handlers: [
        { handlerId: 'A.run', state: 'failed', error: { name: 'Error', message: 'broken' } },
        { handlerId: 'B.run', state: 'done' },
      ],
    });
  });

  it('runs only the handlers that failed when the event comes again', async () => {
    const [good, bad] = [jest.fn(async () => 'ok'), jest.fn(async () => 'ok')];
    bad.mockRejectedValueOnce(new Error('broken'));
    const { engine } = setUp({ 'Good.run': good, 'Bad.run': bad });
    await engine.deliver(aDelivery());

    const retry = await engine.deliver(aDelivery());

    expect(retry).toEqual({
      outcome: 'processed',
      handlers: [
        { handlerId: 'Good.run', state: 'already_done' },
        { handlerId: 'Bad.run', state: 'done' },
      ],
    });
    expect([good.mock.calls.length, bad.mock.calls.length]).toEqual([1, 2]);
  });

  it('never runs a handler again that said that a retry cannot help', async () => {
    const handler = jest.fn(async () => {
      throw new NonRetryableEventError('no tenant');
    });
    const { engine } = setUp({ 'A.run': handler });

    const outcomes = [await engine.deliver(aDelivery()), await engine.deliver(aDelivery())];

    expect(outcomes.map(({ outcome }) => outcome)).toEqual(['unprocessable', 'dead']);
    expect(handler).toHaveBeenCalledTimes(1);
  });

  it('tells each run which attempt it is', async () => {
    const attempts: number[] = [];
    const { engine } = setUp({
      'A.run': async (_event, { attempt }) => {
        attempts.push(attempt);
        throw new Error('broken');
      },
    });

    for (let run = 0; run < 3; run += 1) await engine.deliver(aDelivery());

    expect(attempts).toEqual([1, 2, 3]);
  });

  describe('at the deadline', () => {
    it('answers unavailable for a handler that is still running', async () => {
      const { engine } = setUp({ 'A.run': () => deferred().promise });

      const processing = engine.deliver(aDelivery());
      await jest.advanceTimersByTimeAsync(HANDLER_TIMEOUT_MS);

      expect(await processing).toEqual({
        outcome: 'unavailable',
        handlers: [{ handlerId: 'A.run', state: 'overdue' }],
      });
    });

    it('has the handlers that ended in time settled', async () => {
      const { engine, inbox } = setUp({
        'Slow.run': () => deferred().promise,
        'Quick.run': async () => {},
      });
      const delivery = aDelivery();

      const processing = engine.deliver(delivery);
      await jest.advanceTimersByTimeAsync(HANDLER_TIMEOUT_MS);
      await processing;

      const entry = await inbox.get({ endpoint: 'default', eventId: delivery.event.id });
      expect(entry?.runs).toMatchObject([
        { handlerId: 'Slow.run', state: 'running' },
        { handlerId: 'Quick.run', state: 'done' },
      ]);
    });

    it('fires the signal of a handler that is still running, and of no other', async () => {
      const signals: AbortSignal[] = [];
      const keep = (_event: unknown, { signal }: ScalekitDelivery) => signals.push(signal);
      const { engine } = setUp({
        'Slow.run': (event, delivery) => {
          keep(event, delivery);
          return deferred().promise;
        },
        'Quick.run': async (event, delivery) => keep(event, delivery),
      });

      const processing = engine.deliver(aDelivery());
      await jest.advanceTimersByTimeAsync(HANDLER_TIMEOUT_MS - 1);
      expect(signals.map(({ aborted }) => aborted)).toEqual([false, false]);
      await jest.advanceTimersByTimeAsync(LEASE_MS);
      await processing;

      expect(signals.map(({ aborted }) => aborted)).toEqual([true, false]);
    });

    it('frees a handler that heeds its signal for the retry at once', async () => {
      const heeding = jest.fn((_event: unknown, { signal }: ScalekitDelivery) => {
        const { promise, reject } = deferred();
        signal.addEventListener('abort', () => reject(signal.reason));
        return promise;
      });
      const { engine } = setUp({ 'A.run': heeding });
      const processing = engine.deliver(aDelivery());
      await jest.advanceTimersByTimeAsync(HANDLER_TIMEOUT_MS);
      expect(await processing).toMatchObject({ outcome: 'unavailable', handlers: [{ state: 'overdue' }] });
      await engine.drain();
      heeding.mockResolvedValueOnce(undefined);

      expect(await engine.deliver(aDelivery())).toMatchObject({ outcome: 'processed' });
      expect(heeding).toHaveBeenCalledTimes(2);
    });

    it('refuses for good what a handler refused at its signal', async () => {
      const { engine } = setUp({
        'A.run': (_event, { signal }) => {
          const { promise, reject } = deferred();
          signal.addEventListener('abort', () => reject(new NonRetryableEventError('gave up')));
          return promise;
        },
      });
      const processing = engine.deliver(aDelivery());
      await jest.advanceTimersByTimeAsync(HANDLER_TIMEOUT_MS);
      expect(await processing).toMatchObject({ outcome: 'unprocessable', handlers: [{ state: 'refused' }] });
      await engine.drain();

      expect(await engine.deliver(aDelivery())).toMatchObject({
        outcome: 'dead',
        handlers: [{ state: 'already_dead' }],
      });
    });

    it('counts from the arrival of the request', async () => {
      const { engine } = setUp({ 'A.run': () => deferred().promise });
      const answered = jest.fn();

      const processing = engine.deliver(aDelivery({ receivedAt: new Date(Date.now() - 4000) }));
      void processing.then(answered);
      await jest.advanceTimersByTimeAsync(HANDLER_TIMEOUT_MS - 4001);
      expect(answered).not.toHaveBeenCalled();
      await jest.advanceTimersByTimeAsync(1);

      expect(answered).toHaveBeenCalledTimes(1);
    });

    it('comes earlier for a handler with a timeout of its own', async () => {
      const { engine } = setUp({ 'A.run': { timeoutMs: 100, run: () => deferred().promise } });

      const processing = engine.deliver(aDelivery());
      await jest.advanceTimersByTimeAsync(100);

      expect(await processing).toMatchObject({ outcome: 'unavailable' });
    });

    it('comes no later for a handler with a longer timeout', async () => {
      const { engine } = setUp({
        'A.run': { timeoutMs: HANDLER_TIMEOUT_MS * 2, run: () => deferred().promise },
      });

      const processing = engine.deliver(aDelivery());
      await jest.advanceTimersByTimeAsync(HANDLER_TIMEOUT_MS);

      expect(await processing).toMatchObject({ outcome: 'unavailable' });
    });

    it('leaves the siblings of a handler with a short timeout their time', async () => {
      const gate = deferred();
      const { engine } = setUp({
        'Short.run': { timeoutMs: 100, run: () => deferred().promise },
        'Long.run': () => gate.promise,
      });

      const processing = engine.deliver(aDelivery());
      await jest.advanceTimersByTimeAsync(HANDLER_TIMEOUT_MS - 1);
      gate.resolve();

      expect(await processing).toMatchObject({ handlers: [{ state: 'overdue' }, { state: 'done' }] });
    });
  });

  describe('after the deadline', () => {
    async function overdue(handler: () => Promise<unknown>) {
      const bench = setUp({ 'A.run': handler });
      const processing = bench.engine.deliver(aDelivery());
      await jest.advanceTimersByTimeAsync(HANDLER_TIMEOUT_MS);
      await processing;
      return bench;
    }

    it('records a late success, so that the retry is a duplicate', async () => {
      const gate = deferred();
      const handler = jest.fn(() => gate.promise);
      const { engine, log } = await overdue(handler);
      gate.resolve();
      await engine.drain();

      expect(await engine.deliver(aDelivery())).toMatchObject({ outcome: 'duplicate' });
      expect(handler).toHaveBeenCalledTimes(1);
      expect(log).toMatchObject({ faults: [], lateEnds: [{ handlerId: 'A.run', state: 'done' }] });
    });

    it('records a late failure and tells of it, so that the retry runs the handler again', async () => {
      const gate = deferred();
      const handler = jest.fn(() => gate.promise);
      const { engine, log } = await overdue(handler);
      gate.reject(new Error('broken'));
      await engine.drain();
      handler.mockResolvedValueOnce(undefined);

      expect(log.lateEnds).toMatchObject([{ state: 'failed', error: { message: 'broken' } }]);
      expect(await engine.deliver(aDelivery())).toMatchObject({ outcome: 'processed' });
    });

    it('sends a retry away until the late run ends or its lease does', async () => {
      const handler = jest.fn(() => deferred().promise);
      const { engine } = await overdue(handler);

      expect(await engine.deliver(aDelivery())).toEqual({
        outcome: 'unavailable',
        handlers: [{ handlerId: 'A.run', state: 'running' }],
        retryAfterSeconds: (LEASE_MS - HANDLER_TIMEOUT_MS) / 1000,
      });
      expect(handler).toHaveBeenCalledTimes(1);
    });

    it('has a retry run the handler again when the lease has ended', async () => {
      const handler = jest.fn<() => Promise<unknown>>(() => deferred().promise);
      const { engine } = await overdue(handler);
      await jest.advanceTimersByTimeAsync(LEASE_MS - HANDLER_TIMEOUT_MS);
      handler.mockResolvedValueOnce(undefined);

      expect(await engine.deliver(aDelivery())).toMatchObject({ outcome: 'processed' });
      expect(handler).toHaveBeenCalledTimes(2);
    });

    it('does not let a run that lost its lease write, and says so', async () => {
      const gate = deferred();
      const handler = jest.fn<() => Promise<unknown>>(() => gate.promise);
      const { engine, log } = await overdue(handler);
      await jest.advanceTimersByTimeAsync(LEASE_MS - HANDLER_TIMEOUT_MS);
      handler.mockResolvedValueOnce(undefined);
      await engine.deliver(aDelivery());
      gate.reject(new Error('too late to matter'));
      await engine.drain();

      expect(log.faults).toEqual(['lease_lost']);
      expect(await engine.deliver(aDelivery())).toMatchObject({ outcome: 'duplicate' });
    });

    it('drains only when the late run has ended', async () => {
      const gate = deferred();
      const { engine } = await overdue(() => gate.promise);
      const drained = jest.fn();

      const draining = engine.drain().then(drained);
      await jest.advanceTimersByTimeAsync(LEASE_MS);
      expect(drained).not.toHaveBeenCalled();
      gate.resolve();
      await draining;

      expect(drained).toHaveBeenCalledTimes(1);
    });
  });

  it('makes a run dead after an UnprocessableEntityException', async () => {
    const { engine } = setUp({ 'A.run': () => Promise.reject(new UnprocessableEntityException('no')) });

    expect(await engine.deliver(aDelivery())).toMatchObject({
      outcome: 'unprocessable',
      handlers: [{ state: 'refused' }],
    });
  });

  it.each([400, 403, 404, 408, 409, 425, 429, 500])(
    'retries after a Nest exception with status %i',
    async (status) => {
      const { engine } = setUp({ 'A.run': () => Promise.reject(new HttpException('no', status)) });

      expect(await engine.deliver(aDelivery())).toMatchObject({
        outcome: 'failed',
        handlers: [{ state: 'failed' }],
      });
    },
  );
});
