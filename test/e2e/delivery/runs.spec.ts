import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { type EventTransport, MemoryInboxStore } from 'nestjs-scalekit-webhooks';
import type { TestDeliveryAnswer } from 'nestjs-scalekit-webhooks/testing';
import { holdClock } from '../../helpers/clock.js';
import { deferred } from '../../helpers/deferred.js';
import { aUserCreated, startScriptedApp } from '../../helpers/scripted-app.js';
import { ADAPTERS } from '../../helpers/test-app.js';

const DEADLINE_MS = 9000;
const LEASE_MS = 18_000;

function seen({ status, body, headers }: TestDeliveryAnswer) {
  return { status, body, retryAfter: headers.get('retry-after') };
}

/** A handler that waits until the test opens the gate. */
function heldBy(gate: Promise<unknown>) {
  const started = deferred();
  const run = async () => {
    started.resolve();
    await gate;
  };
  return { run, started: started.promise };
}

/** The store of a process that crashes before it can settle. */
function storeOfACrashing(shared: MemoryInboxStore) {
  const dying = new MemoryInboxStore();
  const crashed = deferred<readonly string[]>();
  const settling = deferred();
  jest.spyOn(dying, 'claim').mockImplementation((...args) => shared.claim(...args));
  jest.spyOn(dying, 'settle').mockImplementation(() => {
    settling.resolve();
    return crashed.promise;
  });
  return { dying, settling: settling.promise, bury: () => crashed.resolve([]) };
}

describe.each(ADAPTERS)('an event, on %s,', (_name, adapter) => {
  beforeEach(() => {
    holdClock();
  });

  describe('that is delivered again', () => {
    it('does not run handlers that succeeded', async () => {
      const { scalekit, first, second } = await startScriptedApp(adapter);

      await scalekit.deliverTwice(aUserCreated());

      expect([first.mock.calls.length, second.mock.calls.length]).toEqual([1, 1]);
    });

    it('runs only the handlers that failed', async () => {
      const { scalekit, first, second } = await startScriptedApp(adapter);
      second.mockRejectedValueOnce(new Error('broken'));

      const answers = await scalekit.deliverTwice(aUserCreated());

      expect(answers.map(({ status }) => status)).toEqual([500, 201]);
      expect([first.mock.calls.length, second.mock.calls.length]).toEqual([1, 2]);
    });

    it('runs a failed handler again, but not a dead one', async () => {
      const { scalekit, first, second } = await startScriptedApp(adapter);
      first.mockRejectedValue(Object.assign(new Error('no tenant'), { code: 'non_retryable' }));
      second.mockRejectedValueOnce(new Error('broken'));

      const answers = await scalekit.deliverTwice(aUserCreated());

      expect(answers.map(({ status }) => status)).toEqual([500, 201]);
      expect([first.mock.calls.length, second.mock.calls.length]).toEqual([1, 2]);
    });

    it('runs all handlers if its id differs', async () => {
      const { scalekit, first } = await startScriptedApp(adapter);
      const event = aUserCreated();
      await scalekit.deliver(event);

      expect((await scalekit.deliver({ ...event, id: `${event.id}0` })).status).toBe(201);
      expect(first).toHaveBeenCalledTimes(2);
    });

    it('runs only what is left after the queue could not be reached', async () => {
      const start = jest.fn<EventTransport['start']>(() => [
        Promise.resolve({ handlerId: 'First.handle', state: 'queued' as const }),
        Promise.reject(new Error('down')),
      ]);
      const { scalekit } = await startScriptedApp(adapter, { transport: { start } });
      const event = aUserCreated();
      expect((await scalekit.deliver(event)).status).toBe(503);
      start.mockReturnValueOnce([Promise.resolve({ handlerId: 'Second.handle', state: 'queued' })]);

      expect((await scalekit.deliver(event)).status).toBe(202);
      expect(start).toHaveBeenLastCalledWith(
        expect.objectContaining({ runs: [expect.objectContaining({ handlerId: 'Second.handle' })] }),
      );
    });
  });

  describe('that arrives several times at once', () => {
    it.each([2, 20])('runs its handlers once, and answers all %i deliveries alike', async (count) => {
      const { scalekit, first, second, dispatcher } = await startScriptedApp(adapter);
      const [gate, allThere] = [deferred(), deferred()];
      const handle = dispatcher.handle.bind(dispatcher);
      let arrived = 0;
      jest.spyOn(dispatcher, 'handle').mockImplementation((received) => {
        arrived += 1;
        if (arrived === count) allThere.resolve();
        return handle(received);
      });
      first.mockImplementation(() => gate.promise);

      const answering = scalekit.deliverConcurrently(aUserCreated(), count);
      await allThere.promise;
      gate.resolve();

      for (const answer of await answering) {
        expect(seen(answer)).toEqual({
          status: 201,
          body: { received: true, status: 'processed' },
          retryAfter: null,
        });
      }
      expect([first.mock.calls.length, second.mock.calls.length]).toEqual([1, 1]);
    });
  });

  describe('that arrives at two processes at once', () => {
    it('is answered with 503 by the second until the first is done', async () => {
      const inbox = new MemoryInboxStore();
      const [one, other] = [
        await startScriptedApp(adapter, { inbox }),
        await startScriptedApp(adapter, { inbox }),
      ];
      const gate = deferred();
      const { run, started } = heldBy(gate.promise);
      one.first.mockImplementation(run);
      const event = aUserCreated();
      const answering = one.scalekit.deliver(event);
      await started;

      expect(seen(await other.scalekit.deliver(event))).toEqual({
        status: 503,
        body: { received: false },
        retryAfter: String(LEASE_MS / 1000),
      });
      gate.resolve();
      expect((await answering).status).toBe(201);
      expect((await other.scalekit.deliver(event)).status).toBe(200);
      expect(other.first).not.toHaveBeenCalled();
    });

    it('is taken over by the second once the lease of the first has ended', async () => {
      const inbox = new MemoryInboxStore();
      const [one, other] = [
        await startScriptedApp(adapter, { inbox }),
        await startScriptedApp(adapter, { inbox }),
      ];
      const gate = deferred();
      const { run, started } = heldBy(gate.promise);
      one.first.mockImplementation(run);
      const event = aUserCreated();
      const answering = one.scalekit.deliver(event);
      await started;
      await jest.advanceTimersByTimeAsync(LEASE_MS);

      expect((await other.scalekit.deliver(event)).status).toBe(201);
      expect([other.first.mock.calls.length, other.second.mock.calls.length]).toEqual([1, 0]);
      expect((await answering).status).toBe(503);
      gate.resolve();
    });
  });

  describe('whose process crashes before it can settle', () => {
    it('runs again in another process once the lease has ended, and not before', async () => {
      const shared = new MemoryInboxStore();
      const { dying, settling, bury } = storeOfACrashing(shared);
      const crashing = await startScriptedApp(adapter, { inbox: dying });
      const event = aUserCreated();
      const answering = crashing.scalekit.deliver(event);
      await settling;
      const heir = await startScriptedApp(adapter, { inbox: shared });

      expect((await heir.scalekit.deliver(event)).status).toBe(503);
      expect(heir.first).not.toHaveBeenCalled();
      await jest.advanceTimersByTimeAsync(LEASE_MS);
      expect((await heir.scalekit.deliver(event)).status).toBe(201);
      expect(heir.first).toHaveBeenCalledTimes(1);
      bury();
      await answering;
    });

    it('runs only those handlers again that had not succeeded before', async () => {
      const shared = new MemoryInboxStore();
      const { dying, settling, bury } = storeOfACrashing(shared);
      const heir = await startScriptedApp(adapter, { inbox: shared });
      const crashing = await startScriptedApp(adapter, { inbox: dying });
      const event = aUserCreated();
      heir.second.mockRejectedValueOnce(new Error('broken'));
      await heir.scalekit.deliver(event);
      const answering = crashing.scalekit.deliver(event);
      await settling;
      await jest.advanceTimersByTimeAsync(LEASE_MS);

      expect((await heir.scalekit.deliver(event)).status).toBe(201);
      expect([heir.first.mock.calls.length, heir.second.mock.calls.length]).toEqual([1, 2]);
      expect(crashing.first).not.toHaveBeenCalled();
      bury();
      await answering;
    });
  });

  describe('whose handler exceeds the deadline', () => {
    it('is a duplicate if it is delivered again after the handler ended', async () => {
      const { scalekit, first } = await startScriptedApp(adapter);
      const gate = deferred();
      const { run, started } = heldBy(gate.promise);
      first.mockImplementation(run);
      const event = aUserCreated();
      const answering = scalekit.deliver(event);
      await started;
      await jest.advanceTimersByTimeAsync(DEADLINE_MS);
      expect((await answering).status).toBe(503);
      gate.resolve();

      expect((await scalekit.deliver(event)).body).toEqual({ received: true, status: 'duplicate' });
      expect(first).toHaveBeenCalledTimes(1);
    });

    it('is never acknowledged while the handler may still fail', async () => {
      const { scalekit, first } = await startScriptedApp(adapter);
      const gate = deferred();
      const { run, started } = heldBy(gate.promise);
      first.mockImplementation(run);
      const event = aUserCreated();
      const answering = scalekit.deliver(event);
      await started;
      await jest.advanceTimersByTimeAsync(DEADLINE_MS);

      expect(seen(await answering)).toEqual({ status: 503, body: { received: false }, retryAfter: '5' });
      expect(seen(await scalekit.deliver(event))).toEqual({
        status: 503,
        body: { received: false },
        retryAfter: String((LEASE_MS - DEADLINE_MS) / 1000),
      });
      gate.reject(new Error('broken after all'));
      first.mockReset();
      expect((await scalekit.deliver(event)).status).toBe(201);
      expect(first).toHaveBeenCalledTimes(1);
    });

    it('can be retried at once if the handler stops when its signal aborts', async () => {
      const { scalekit, first } = await startScriptedApp(adapter);
      const started = deferred();
      first.mockImplementationOnce((_event, { signal }) => {
        const { promise, reject } = deferred();
        signal.addEventListener('abort', () => reject(signal.reason));
        started.resolve();
        return promise;
      });
      const event = aUserCreated();
      const answering = scalekit.deliver(event);
      await started.promise;
      await jest.advanceTimersByTimeAsync(DEADLINE_MS);
      expect((await answering).status).toBe(503);

      expect((await scalekit.deliver(event)).status).toBe(201);
      expect(first).toHaveBeenCalledTimes(2);
    });
  });
});
