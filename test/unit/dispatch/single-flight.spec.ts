import { describe, expect, it, jest } from '@jest/globals';
import type { DispatchResult } from 'nestjs-scalekit-webhooks';
import { SingleFlight } from '../../../lib/dispatch/scalekit-event.dispatcher.js';
import { deferred } from '../../helpers/deferred.js';

const BYTES = Buffer.from('{}');
const PROCESSED: DispatchResult = { outcome: 'processed', handlers: [] };
const FAILED: DispatchResult = { outcome: 'failed', handlers: [] };

function setUp() {
  const inFlight = new SingleFlight();
  const [first, second] = [deferred<DispatchResult>(), deferred<DispatchResult>()];
  return { inFlight, first, second, again: jest.fn(async () => FAILED) };
}

describe('SingleFlight', () => {
  it('shares the result of an event in progress', async () => {
    const { inFlight, first, again } = setUp();
    const results = [inFlight.share('A', BYTES, () => first.promise), inFlight.share('A', BYTES, again)];

    first.resolve(PROCESSED);

    expect(await Promise.all(results)).toEqual([PROCESSED, PROCESSED]);
    expect(again).not.toHaveBeenCalled();
  });

  it('handles other bytes under the same id once the first have ended, instead of sharing their result', async () => {
    const { inFlight, first, again } = setUp();
    const one = inFlight.share('A', BYTES, () => first.promise);
    const other = inFlight.share('A', Buffer.from('{"type":"another"}'), again);
    expect(again).not.toHaveBeenCalled();

    first.resolve(PROCESSED);

    expect(await Promise.all([one, other])).toEqual([PROCESSED, FAILED]);
  });

  it('still shares an event after another one has ended', async () => {
    const { inFlight, first, second, again } = setUp();
    const ended = inFlight.share('A', BYTES, () => first.promise);
    inFlight.share('B', BYTES, () => second.promise);
    first.resolve(PROCESSED);
    await ended;

    const shared = inFlight.share('B', BYTES, again);
    second.resolve(PROCESSED);

    expect(await shared).toBe(PROCESSED);
    expect(again).not.toHaveBeenCalled();
  });

  it.each(['ended', 'failed'])(
    'handles an event again that has %s while another one is in progress',
    async (how) => {
      const { inFlight, first, second, again } = setUp();
      const ended = inFlight.share('A', BYTES, () => first.promise);
      inFlight.share('B', BYTES, () => second.promise);
      if (how === 'ended') first.resolve(PROCESSED);
      else first.reject(new Error('broken'));
      await Promise.allSettled([ended]);

      expect(await inFlight.share('A', BYTES, again)).toBe(FAILED);
    },
  );

  it('handles an event again as soon as its result is known', async () => {
    const { inFlight, first, again } = setUp();
    const anew = inFlight
      .share('A', BYTES, () => first.promise)
      .then(() => inFlight.share('A', BYTES, again));

    first.resolve(PROCESSED);

    expect(await anew).toBe(FAILED);
  });

  it('does not forget other events after an event that was nested in itself has ended', async () => {
    const { inFlight, first, second, again } = setUp();
    const outer = inFlight.share('A', BYTES, () => {
      inFlight.share('A', BYTES, async () => PROCESSED);
      return first.promise;
    });
    first.resolve(PROCESSED);
    await outer;
    inFlight.share('B', BYTES, () => second.promise);
    await Promise.resolve();

    const shared = inFlight.share('B', BYTES, again);
    second.resolve(PROCESSED);

    expect(await shared).toBe(PROCESSED);
  });

  it('waits until everything in progress has ended', async () => {
    const { inFlight, first, second } = setUp();
    inFlight.share('A', BYTES, () => first.promise);
    inFlight.share('B', BYTES, () => second.promise);
    const settled = jest.fn();
    const waiting = inFlight.settled().then(settled);
    first.resolve(PROCESSED);
    await inFlight.share('A', BYTES, async () => PROCESSED);

    expect(settled).not.toHaveBeenCalled();
    second.resolve(PROCESSED);
    await waiting;
  });
});
