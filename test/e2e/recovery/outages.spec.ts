import { describe, expect, it, jest } from '@jest/globals';
import type { InboxStore } from 'nestjs-scalekit-webhooks';
import { SimulatedEventsApi } from 'nestjs-scalekit-webhooks/testing';
import { holdClock, letTimeGoOn } from '../../helpers/clock.js';
import { deferred } from '../../helpers/deferred.js';
import { sqliteFile } from '../../helpers/sqlite-files.js';
import { until } from '../../helpers/until.js';
import { eventOf, HOUR, MINUTE, sqliteInbox, startRecoveryApp } from './recovery-app.js';

const LEASE_MS = MINUTE;

/** Lets time pass until something has happened. In between, what does not wait for the clock goes on. */
async function passUntil(isRight: () => boolean, stepMs = 1000): Promise<void> {
  while (!isRight()) {
    await jest.advanceTimersByTimeAsync(stepMs);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Lets time pass until a promise has settled. */
async function passWhile(waiting: Promise<unknown>): Promise<void> {
  let isOver = false;
  const end = () => {
    isOver = true;
  };
  waiting.then(end, end);
  await passUntil(() => isOver);
}

describe('An application whose Events API is down at the start', () => {
  it('starts, receives webhooks, and recovers later without a restart', async () => {
    holdClock();
    const api = new SimulatedEventsApi();
    api.add(eventOf(2 * HOUR, 'evt_missed'));
    const outage = api.beginOutage();
    const { scalekit, handled, logger } = await startRecoveryApp({ api, options: { onStart: true } });
    expect((await scalekit.deliver(eventOf(0, 'evt_new'))).status).toBe(201);

    const isOver = Date.now() + HOUR;
    await passUntil(() => Date.now() > isOver, 5000);
    expect(handled).toEqual(['evt_new']);
    outage.end();
    await passUntil(() => handled.length === 2);

    expect(handled).toEqual(['evt_new', 'evt_missed']);
    expect(logger.ours('warn')[0]).toMatch(
      /^Missed events could not be recovered \(ScalekitRecoveryError: .*60 s$/,
    );
  }, 60_000);

  it('starts at once even if the API never responds', async () => {
    const client = { events: { listEventsPaginated: () => new Promise<never>(() => {}) } };

    const { scalekit } = await startRecoveryApp({ options: { client, onStart: true } });

    expect((await scalekit.deliver(eventOf(0, 'evt_new'))).status).toBe(201);
  });
});

describe('A recovery on a schedule', () => {
  it('runs at the start, and every hour', async () => {
    holdClock();
    const { api, handled } = await startRecoveryApp({ options: { onStart: true } });
    api.add(eventOf(30 * MINUTE, 'evt_1'));
    await passUntil(() => handled.length === 1, 1);
    const startedAt = Date.now();

    api.add(eventOf(5 * MINUTE, 'evt_2'));
    await passUntil(() => handled.length === 2);

    expect(handled).toEqual(['evt_1', 'evt_2']);
    expect(Date.now() - startedAt).toBeGreaterThanOrEqual(HOUR - MINUTE);
  }, 30_000);
});

describe('A recovery whose inbox is down', () => {
  it('does not end, and leaves the checkpoint where it is', async () => {
    const store = await sqliteInbox();
    let isDown = false;
    const inbox: InboxStore = new Proxy(store, {
      get(target, name) {
        if (name === 'claim' && isDown) return () => Promise.reject(new Error('disk full'));
        const value: unknown = Reflect.get(target, name);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
    const { api, recovery, handled } = await startRecoveryApp({
      inbox,
      webhooks: { handlerTimeoutMs: 1000 },
    });
    api.add(eventOf(2 * HOUR, 'evt_1'), eventOf(HOUR, 'evt_2'));
    isDown = true;
    holdClock();

    const recovering = recovery.recover();
    const failed = expect(recovering).rejects.toMatchObject({ code: 'inbox_failed' });
    await passWhile(recovering);
    await failed;
    isDown = false;
    letTimeGoOn();

    expect(await recovery.recover()).toMatchObject({ read: 2 });
    expect(handled).toEqual(['evt_1', 'evt_2']);
  }, 30_000);
});

describe('Another process', () => {
  it('takes over when the lease of a dead one has ended', async () => {
    const file = await sqliteFile();
    const dead = await sqliteInbox(file);
    await dead.beginRecovery('default', { token: 'of a process that died', durationMs: LEASE_MS });
    holdClock();
    const { api, handled } = await startRecoveryApp({
      inbox: await sqliteInbox(file),
      options: { onStart: true },
    });
    api.add(eventOf(HOUR, 'evt_1'));

    const startedAt = Date.now();
    await passUntil(() => handled.length === 1);

    expect(Date.now() - startedAt).toBeGreaterThanOrEqual(LEASE_MS);
  }, 30_000);

  it('that has taken over fences the first one: it stops, and does not move the checkpoint', async () => {
    const store = await sqliteInbox();
    const { api, recovery, users, handled } = await startRecoveryApp({ inbox: store });
    api.add(eventOf(2 * HOUR, 'evt_1'), eventOf(HOUR, 'evt_2'));
    const other = { token: 'of another process', durationMs: LEASE_MS };
    users.run.mockImplementationOnce(async () => {
      jest.useFakeTimers({
        now: Date.now() + 2 * LEASE_MS,
        doNotFake: ['setTimeout', 'setImmediate', 'performance', 'nextTick'],
      });
      expect(await store.beginRecovery('default', other)).toEqual({});
    });

    await recovery.recover();

    expect(await store.endRecovery('default', other)).toBe(true);
    expect(await store.beginRecovery('default', other)).toEqual({});
    expect(handled).toEqual(['evt_1', 'evt_2']);
  });
});

describe('An application that closes during a recovery', () => {
  it('ends it after the event in progress, and the next start repeats the window', async () => {
    const file = await sqliteFile();
    const api = new SimulatedEventsApi();
    api.add(eventOf(3 * HOUR, 'evt_1'), eventOf(2 * HOUR, 'evt_2'), eventOf(HOUR, 'evt_3'));
    const first = await startRecoveryApp({ api, inbox: await sqliteInbox(file) });
    const release = deferred();
    first.users.run.mockImplementationOnce(() => release.promise);
    const recovering = first.recovery.recover();
    const interrupted = expect(recovering).rejects.toMatchObject({ code: 'interrupted' });
    await until(
      () => first.users.run.mock.calls.length,
      (calls) => calls === 1,
    );

    const closing = first.app.close();
    release.resolve();
    await closing;
    await interrupted;
    expect(first.handled).toEqual(['evt_1']);

    const second = await startRecoveryApp({ api, inbox: await sqliteInbox(file) });
    expect(await second.recovery.recover()).toMatchObject({ read: 3, handled: 2, duplicates: 1 });
    expect(second.handled).toEqual(['evt_2', 'evt_3']);
  });
});
