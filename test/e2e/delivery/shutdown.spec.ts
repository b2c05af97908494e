import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { MemoryInboxStore } from 'nestjs-scalekit-webhooks';
import { holdClock } from '../../helpers/clock.js';
import { deferred } from '../../helpers/deferred.js';
import { aUserCreated, type ScriptedApp, startScriptedApp } from '../../helpers/scripted-app.js';
import { ADAPTERS } from '../../helpers/test-app.js';

const DEADLINE_MS = 9000;
const LEASE_MS = 18_000;

/** A delivery whose first handler runs until the gate opens. */
async function heldDelivery({ scalekit, first }: ScriptedApp) {
  const [gate, started] = [deferred(), deferred()];
  first.mockImplementationOnce(() => {
    started.resolve();
    return gate.promise;
  });
  const answering = scalekit.deliver(aUserCreated());
  await started.promise;
  return { gate, answering };
}

describe.each(ADAPTERS)('an application that is closing, on %s', (_name, adapter) => {
  beforeEach(() => {
    holdClock();
  });

  it('finishes a delivery in progress, and answers it', async () => {
    const bench = await startScriptedApp(adapter);
    const { gate, answering } = await heldDelivery(bench);

    const closing = bench.app.close();
    gate.resolve();

    expect((await answering).status).toBe(201);
    await closing;
    const [entry] = (await bench.inbox.list()).entries;
    expect(entry?.runs).toMatchObject([{ state: 'done' }, { state: 'done' }]);
  });

  it('accepts no new deliveries', async () => {
    const bench = await startScriptedApp(adapter);
    const { gate, answering } = await heldDelivery(bench);
    const closing = bench.app.close();

    const { status, body, headers } = await bench.scalekit.deliver(aUserCreated());

    expect({ status, body }).toEqual({ status: 503, body: { received: false } });
    expect(headers.get('retry-after')).toBe('5');
    expect(bench.first).toHaveBeenCalledTimes(1);
    gate.resolve();
    await Promise.all([answering, closing]);
  });

  it('waits for a run that exceeded its deadline, and records how it ended', async () => {
    const bench = await startScriptedApp(adapter);
    const { gate, answering } = await heldDelivery(bench);
    await jest.advanceTimersByTimeAsync(DEADLINE_MS);
    await answering;
    const closed = jest.fn();

    const closing = bench.app.close().then(closed);
    await jest.advanceTimersByTimeAsync(LEASE_MS - 1);
    expect(closed).not.toHaveBeenCalled();
    gate.resolve();
    await closing;

    const [entry] = (await bench.inbox.list()).entries;
    expect(entry?.runs).toMatchObject([{ state: 'done' }, { state: 'done' }]);
  });

  it('waits for an inbox that is slow to settle, and says so', async () => {
    const inbox = new MemoryInboxStore();
    const [gate, settling] = [deferred(), deferred()];
    const settle = inbox.settle.bind(inbox);
    jest.spyOn(inbox, 'settle').mockImplementationOnce(async (...args) => {
      settling.resolve();
      await gate.promise;
      return settle(...args);
    });
    const { app, scalekit, logger } = await startScriptedApp(adapter, { inbox });
    const answering = scalekit.deliver(aUserCreated());
    await settling.promise;
    await jest.advanceTimersByTimeAsync(DEADLINE_MS + 500);
    await answering;

    const closing = app.close();
    await jest.advanceTimersByTimeAsync(2000);
    expect(logger.ours('warn')).toContainEqual(
      'The shutdown is waiting for the inbox or the queue to respond.',
    );
    gate.resolve();
    await closing;

    const [entry] = (await inbox.list()).entries;
    expect(entry?.runs).toMatchObject([{ state: 'done' }, { state: 'done' }]);
  });

  it('says which runs it is waiting for', async () => {
    const bench = await startScriptedApp(adapter);
    const { gate, answering } = await heldDelivery(bench);

    const closing = bench.app.close();
    await jest.advanceTimersByTimeAsync(2000);
    gate.resolve();
    await Promise.all([answering, closing]);

    expect(bench.logger.ours('warn')).toContainEqual(
      expect.stringMatching(/The shutdown is waiting for a run to end: \S+ \(evt_\d+\)/),
    );
  });

  it('does not wait for a run longer than its lease', async () => {
    const bench = await startScriptedApp(adapter);
    const { gate, answering } = await heldDelivery(bench);
    await jest.advanceTimersByTimeAsync(DEADLINE_MS);
    await answering;

    const closing = bench.app.close();
    await jest.advanceTimersByTimeAsync(LEASE_MS);

    await expect(closing).resolves.toBeUndefined();
    gate.resolve();
  });

  it('dispatches no more events', async () => {
    const { app, dispatcher, first } = await startScriptedApp(adapter);
    await app.close();

    expect(await dispatcher.dispatch(aUserCreated())).toEqual({ outcome: 'unavailable', handlers: [] });
    expect(first).not.toHaveBeenCalled();
  });
});
