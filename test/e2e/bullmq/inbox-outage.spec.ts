import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it, jest } from '@jest/globals';
import { ExpressAdapter } from '@nestjs/platform-express';
import { Queue } from 'bullmq';
import { OnScalekitEvent, ScalekitWebhooksModule } from 'nestjs-scalekit-webhooks';
import { BullMqTransport } from 'nestjs-scalekit-webhooks/bullmq';
import { SqliteInboxStore } from 'nestjs-scalekit-webhooks/sqlite';
import { ScalekitWebhookTester } from 'nestjs-scalekit-webhooks/testing';
import { cleanUpAfterTest } from '../../helpers/cleanup.js';
import { deferred } from '../../helpers/deferred.js';
import { runOnExpress } from '../../helpers/running-app.js';
import { aUserCreated, startScriptedApp } from '../../helpers/scripted-app.js';
import { SECRET } from '../../helpers/secrets.js';
import { describeWithService } from '../../helpers/services.js';
import { openSqlite, sqliteFile } from '../../helpers/sqlite-files.js';
import { until } from '../../helpers/until.js';

// Some tests wait for time limits of several seconds.
jest.setTimeout(40_000);

const DOWN = new Error('connection refused');
const EVENTS = 500;
const OUTAGE_MS = 3000;

await describeWithService('redis', 'a queue whose inbox is out of order', (url) => {
  let queue: Queue;
  let inbox: SqliteInboxStore;

  beforeEach(async () => {
    queue = new Queue('scalekit', { connection: { url }, prefix: `test-${randomUUID()}` });
    inbox = new SqliteInboxStore({ database: openSqlite(await sqliteFile()) });
    cleanUpAfterTest(async () => {
      await queue.obliterate({ force: true });
      await queue.close();
    });
  });

  afterEach(() => {
    jest.restoreAllMocks();
  });

  function start(worker: boolean | { concurrency: number }, handlerTimeoutMs = 9000) {
    const transport = new BullMqTransport({ queue, worker, attempts: 1, handlerTimeoutMs });
    return startScriptedApp(() => new ExpressAdapter(), { inbox, transport, handlerTimeoutMs });
  }

  async function queueEvents(count: number): Promise<void> {
    const web = await start(false);
    const events = Array.from({ length: count }, aUserCreated);
    const results = await Promise.all(events.map((event) => web.dispatcher.dispatch(event)));
    expect(new Set(results.map(({ outcome }) => outcome))).toEqual(new Set(['accepted']));
  }

  const whenAllAreDone = () =>
    until(
      async () =>
        Promise.all((['queued', 'running', 'failed'] as const).map((state) => inbox.count({ state }))),
      (counts) => counts.every((count) => count === 0),
    );

  it('leaves the inbox alone but for a few attempts, logs one line, and works again soon after', async () => {
    await queueEvents(EVENTS);
    const claim = inbox.claim.bind(inbox);
    const spy = jest.spyOn(inbox, 'claim').mockRejectedValue(DOWN);
    const { logger, first, second } = await start({ concurrency: 10 });

    await pause(OUTAGE_MS);
    // Each of the 10 jobs in progress notices the outage for itself. After that it is about one attempt per second.
    expect(spy.mock.calls.length).toBeLessThan(60);
    expect([...logger.ours('error'), ...logger.ours('warn')]).toEqual([
      expect.stringMatching(/^claim_failed for evt_\w+ \(user\.created\): Error: connection refused$/),
    ]);
    expect(await queue.getFailedCount()).toBe(0);

    spy.mockImplementation(claim);
    await until(
      () => first.mock.calls.length,
      (calls) => calls > 0,
      2500,
    );
    await whenAllAreDone();
    const { entries } = await inbox.list({}, { limit: EVENTS });
    expect(new Set(entries.flatMap(({ runs }) => runs.map(({ attempts }) => attempts)))).toEqual(
      new Set([1]),
    );
    expect([first.mock.calls.length, second.mock.calls.length]).toEqual([EVENTS, EVENTS]);
  });

  it('goes on with the jobs of another endpoint', async () => {
    const other = new SqliteInboxStore({ database: openSqlite(await sqliteFile()) });
    class Handlers {
      @OnScalekitEvent('user.created')
      handle() {}
    }
    const endpoint = (name: string, store: SqliteInboxStore) =>
      ScalekitWebhooksModule.forRoot({
        name,
        path: name,
        signingSecret: SECRET,
        inbox: store,
        transport: new BullMqTransport({ queue, worker: { concurrency: 1 } }),
      });
    const app = await runOnExpress({
      imports: [endpoint('down', inbox), endpoint('up', other)],
      providers: [Handlers],
    });
    const deliver = (name: string) =>
      new ScalekitWebhookTester(app, { endpoint: name }).deliver(aUserCreated());
    await queue.pause();
    for (let count = 0; count < 100; count += 1) expect((await deliver('down')).status).toBe(202);
    expect((await deliver('up')).status).toBe(202);
    jest.spyOn(inbox, 'claim').mockRejectedValue(DOWN);
    await queue.resume();

    await until(
      () => other.count({ state: 'done' }),
      (done) => done === 1,
      5000,
    );
  });

  it('frees the worker and closes when the inbox never answers a claim', async () => {
    await queueEvents(1);
    const claims: (() => void)[] = [];
    const claim = inbox.claim.bind(inbox);
    const spy = jest.spyOn(inbox, 'claim').mockImplementation(async (...args) => {
      const gate = deferred();
      claims.push(gate.resolve);
      await gate.promise;
      return claim(...args);
    });
    const { app, logger, first } = await start({ concurrency: 1 }, 500);

    await until(
      () => logger.ours('error'),
      (lines) => lines.some((line) => line.startsWith('claim_failed')),
    );
    await until(
      () => claims.length,
      (count) => count > 1,
    );
    expect(first).not.toHaveBeenCalled();

    const startedAt = performance.now();
    await app.close();
    expect(performance.now() - startedAt).toBeLessThan(8000);

    spy.mockRestore();
    const again = await start(true);
    for (const answer of claims) answer();
    await whenAllAreDone();
    expect([...first.mock.calls, ...again.first.mock.calls]).toHaveLength(1);
    expect(await queue.getFailedCount()).toBe(0);
  });

  it('frees the worker when the inbox never answers a settlement, and runs again what was not recorded', async () => {
    await queueEvents(1);
    const spy = jest.spyOn(inbox, 'settle').mockReturnValue(new Promise(() => {}));
    const { logger, first } = await start({ concurrency: 2 }, 500);
    await until(
      () => logger.ours('error'),
      (lines) => lines.some((line) => line.startsWith('settle_failed')),
    );
    spy.mockRestore();

    await whenAllAreDone();
    expect(first.mock.calls.length).toBeGreaterThan(0);
    expect(await queue.getFailedCount()).toBe(0);
  });

  it('answers in time when the queue never answers, and runs once what it holds after all', async () => {
    const gate = deferred();
    const addBulk = queue.addBulk.bind(queue);
    jest.spyOn(queue, 'addBulk').mockImplementationOnce(async (jobs) => {
      await gate.promise;
      return addBulk(jobs);
    });
    const { scalekit, first, second } = await start(true, 500);
    const event = aUserCreated();

    expect((await scalekit.deliver(event)).status).toBe(503);
    // Until its lease ends, the delivery may still be queued.
    await until(
      async () => (await scalekit.deliver(event)).status,
      (status) => status === 202,
    );
    gate.resolve();

    await whenAllAreDone();
    await until(
      () => queue.getCompletedCount(),
      (count) => count === 4,
    );
    expect([first.mock.calls.length, second.mock.calls.length]).toEqual([1, 1]);
    expect(await queue.getFailedCount()).toBe(0);
  });
});
