import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { RedactionFailedError } from 'nestjs-scalekit-webhooks';
import { CircuitBreaker } from '../../../lib/dispatch/timeout.js';
import { holdClock } from '../../helpers/clock.js';

const DOWN = new Error('connection refused');
const OUTAGE = 5;

describe('a circuit breaker', () => {
  let breaker: CircuitBreaker;
  const service = jest.fn<() => Promise<string>>();

  beforeEach(() => {
    holdClock();
    breaker = new CircuitBreaker();
    service.mockReset().mockRejectedValue(DOWN);
  });

  async function call(times = 1): Promise<void> {
    for (let count = 0; count < times; count += 1) {
      await breaker.call(service).catch((error) => expect(error).toBe(DOWN));
    }
  }

  /** Calls every 10 ms. */
  async function callFor(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += 10) {
      jest.advanceTimersByTime(10);
      await call();
    }
  }

  it.each([
    ['', new RedactionFailedError('evt_1', 'it threw a TypeError')],
    [' of another copy of this library', Object.assign(new Error('it threw'), { code: 'redaction_failed' })],
  ])(
    'takes a failure%s that is about one event for no outage, and does not repeat its call',
    async (_, failure) => {
      service.mockRejectedValue(failure);
      for (let count = 0; count < 2 * OUTAGE; count += 1) {
        await expect(breaker.retryWithin(service, () => 60_000)).rejects.toBe(failure);
      }

      expect(service).toHaveBeenCalledTimes(2 * OUTAGE);
      expect(breaker.refusesForMs).toBe(0);
    },
  );

  it('lets calls through while only some of them fail', async () => {
    for (let count = 0; count < 10; count += 1) {
      await call(OUTAGE - 1);
      service.mockResolvedValueOnce('done');
      await call();
    }

    expect(service).toHaveBeenCalledTimes(10 * OUTAGE);
    expect(breaker.refusesForMs).toBe(0);
  });

  it('lets about one call a second through during an outage, and refuses the others with the last error', async () => {
    await call(OUTAGE);
    expect(breaker.refusesForMs).toBeGreaterThan(0);
    await callFor(60_000);

    const probes = service.mock.calls.length - OUTAGE;
    expect(probes).toBeGreaterThanOrEqual(50);
    expect(probes).toBeLessThanOrEqual(125);
  });

  it('lets calls through within a second after the outage', async () => {
    await call(OUTAGE);
    await callFor(60_000);
    service.mockResolvedValue('done');
    await callFor(1000);

    expect(breaker.refusesForMs).toBe(0);
    expect(await breaker.call(service)).toBe('done');
  });

  it('makes another attempt when one is never answered', async () => {
    await call(OUTAGE);
    service.mockReturnValueOnce(new Promise(() => {}));
    jest.advanceTimersByTime(100);
    void breaker.call(service);
    expect(breaker.refusesForMs).toBeGreaterThan(0);

    service.mockResolvedValue('done');
    await callFor(1000);

    expect(await breaker.call(service)).toBe('done');
  });

  it('counts calls that are not answered in time', () => {
    for (let count = 0; count < OUTAGE; count += 1) breaker.failed(DOWN);

    expect(breaker.refusesForMs).toBeGreaterThan(0);
  });

  it('tries a call again until it succeeds, also within a second after a long outage', async () => {
    const retried = breaker.retryWithin(service, () => 60_000);
    await jest.advanceTimersByTimeAsync(30_000);
    service.mockResolvedValue('done');
    const calls = service.mock.calls.length;
    await jest.advanceTimersByTimeAsync(1000);

    expect(await retried).toBe('done');
    expect(service).toHaveBeenCalledTimes(calls + 1);
  });

  it('spreads the retries of many callers over one call per back-off', async () => {
    const retried = Array.from({ length: 200 }, () => breaker.retryWithin(service, () => 60_000));
    const first = service.mock.calls.length;
    await jest.advanceTimersByTimeAsync(10_000);
    expect(service.mock.calls.length - first).toBeLessThan(25);

    service.mockResolvedValue('done');
    await jest.advanceTimersByTimeAsync(2000);
    expect(new Set(await Promise.all(retried))).toEqual(new Set(['done']));
  });

  it('gives up with the last error when the time is over', async () => {
    const giveUpAt = Date.now() + 5000;
    const retried = breaker.retryWithin(service, () => giveUpAt - Date.now());
    const failed = expect(retried).rejects.toBe(DOWN);
    await jest.advanceTimersByTimeAsync(5000);

    await failed;
  });
});
