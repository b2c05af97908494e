import { setTimeout as pause } from 'node:timers/promises';
import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { InboxTransport, type InboxWorkStore } from 'nestjs-scalekit-webhooks';
import { createScalekitEvent } from 'nestjs-scalekit-webhooks/testing';
import { deferred } from '../../helpers/deferred.js';
import { describeWithService } from '../../helpers/services.js';
import { until } from '../../helpers/until.js';
import { WORK_DATABASES, type WorkDatabase } from '../../helpers/work-stores.js';
import { FAST, runsOf, startBackgroundApp, startHandlers, untilRuns } from './background-app.js';

// Longer than the shutdown's first report, and than several polls.
const OUTAGE_MS = 2500;

await describeWithService('postgres', 'The workers of an InboxTransport', () => {
  describe.each(WORK_DATABASES)('on %s', (_name, openDatabase) => {
    let database: WorkDatabase;
    let inbox: InboxWorkStore;

    beforeEach(async () => {
      database = await openDatabase();
      inbox = database.open();
    });

    it('stop in all processes while the endpoint is paused, and go on when it is resumed', async () => {
      const web = await startBackgroundApp(inbox, { worker: false });
      const worker = await startBackgroundApp(database.open());
      await web.inbox.pause();
      expect(await worker.inbox.isPaused()).toBe(true);
      await until(
        () => worker.logger.ours('warn'),
        (lines) => lines.some((line) => line.includes('is paused')),
      );
      const event = createScalekitEvent('user.created');

      expect((await web.scalekit.deliver(event)).status).toBe(202);
      await pause(100);
      expect(await runsOf(inbox, event.id)).toMatchObject({ 'Handlers.first': { state: 'queued' } });

      await web.inbox.resume();
      await untilRuns(inbox, event.id, 'done');
      expect(worker.logger.ours('warn').filter((line) => line.includes('paused'))).toEqual([
        expect.stringMatching(/^The endpoint "default" is paused: .*resume\(\)/),
        'The endpoint "default" is no longer paused.',
      ]);
    });

    it('log runs of handlers that nobody has, and run the others', async () => {
      const renamed = Array.from({ length: 20 }, () => createScalekitEvent('user.created'));
      for (const { id: eventId, type, occurred_at: occurredAt } of renamed) {
        const event = { endpoint: 'default', eventId, type, occurredAt, payload: Buffer.from('{}') };
        await inbox.enqueue(event, ['Renamed.first']);
      }
      await database.passTime(61_000);
      const { scalekit, logger } = await startBackgroundApp(inbox, { worker: { concurrency: 1 } });
      const event = createScalekitEvent('user.created');

      await scalekit.deliver(event);

      await untilRuns(inbox, event.id, 'done');
      expect(logger.ours('warn')).toEqual([
        expect.stringMatching(
          /handlers that this process does not have: Renamed\.first \(20\)\. If no other/,
        ),
      ]);
      expect(await inbox.count({ state: 'queued' })).toBe(20);
    });

    it('finish their runs before the application closes, say what it waits for, and take no more', async () => {
      const { app, scalekit, handlers, logger } = await startBackgroundApp(inbox, {
        worker: { concurrency: 1 },
      });
      const gate = deferred<void>();
      handlers.gate = gate.promise;
      const [first, next] = [createScalekitEvent('user.created'), createScalekitEvent('user.created')];
      await scalekit.deliver(first);
      await until(
        () => handlers.deliveries.length,
        (count) => count === 1,
      );
      await scalekit.deliver(next);

      const closed = app.close();
      await until(
        () => logger.ours('warn'),
        (lines) =>
          lines.some((line) => line.includes(`waiting for a run to end: Handlers.first (${first.id})`)),
      );
      gate.resolve();
      await closed;

      expect(await runsOf(inbox, first.id)).toMatchObject({ 'Handlers.first': { state: 'done' } });
      expect(await runsOf(inbox, next.id)).toMatchObject({
        'Handlers.first': { state: 'queued', attempts: 0 },
      });
    });

    it('leave an inbox that is down alone but for about one attempt a second, and log one line', async () => {
      const takeDue = inbox.takeDue.bind(inbox);
      const spy = jest.spyOn(inbox, 'takeDue').mockRejectedValue(new Error('connection refused'));
      const { scalekit, logger } = await startBackgroundApp(inbox, { pollIntervalMs: 1 });
      const event = createScalekitEvent('user.created');
      await scalekit.deliver(event);

      await pause(OUTAGE_MS);
      expect(spy.mock.calls.length).toBeLessThan(20);
      const lines = [...logger.ours('error'), ...logger.ours('warn')];
      expect(lines[0]).toMatch(
        /^The worker cannot take runs from the inbox, .*Cause: Error: connection refused$/,
      );
      // On a slow machine, the line that sums up 10 s may come too.
      expect(lines.length).toBeLessThan(3);

      spy.mockImplementation(takeDue);
      await untilRuns(inbox, event.id, 'done');
    });

    it('log a failed attempt with its cause, and the last one as an error', async () => {
      const { scalekit, handlers, logger } = await startBackgroundApp(inbox);
      const failure = () => new Error('no tenant', { cause: new Error('timed out') });
      handlers.failures = [failure(), failure(), failure()];
      const event = createScalekitEvent('user.created');
      await scalekit.deliver(event);
      await untilRuns(inbox, event.id, 'dead', 'done');

      const fields = { endpoint: 'default', eventId: event.id, eventType: 'user.created' };
      const run = { ...fields, handlerId: 'Handlers.first' };
      expect(logger.first('warn')).toMatchObject({ ...run, attempt: 1, state: 'failed' });
      // The line that sums up 10 s of the outage above may come too.
      expect(logger.first('error', /^Handlers/)).toMatchObject({ ...run, attempt: 3, state: 'dead' });
      expect(logger.ours('warn')).toHaveLength(2);
      expect(logger.oursInFull('error').filter((text) => text.startsWith('Handlers.first'))).toEqual([
        expect.stringMatching(/^Handlers\.first failed for .* no tenant[\s\S]*timed out/),
      ]);
      expect(logger.ours('debug')).toContainEqual(expect.stringMatching(/from the inbox: done$/));
    });

    it('give back runs that the inbox hands out too late', async () => {
      const takeDue = inbox.takeDue.bind(inbox);
      const gate = deferred<void>();
      const taken = deferred<void>();
      jest.spyOn(inbox, 'takeDue').mockImplementationOnce(async (request) => {
        await until(
          () => inbox.count({ state: 'queued' }),
          (count) => count === 1,
        );
        const due = await takeDue(request);
        taken.resolve();
        await gate.promise;
        return due;
      });
      const { app, scalekit, handlers } = await startBackgroundApp(inbox);
      const event = createScalekitEvent('user.created');
      await scalekit.deliver(event);
      await taken.promise;

      const closed = app.close();
      gate.resolve();
      await closed;

      expect(handlers.runs).toEqual([]);
      expect(await runsOf(inbox, event.id)).toMatchObject({
        'Handlers.first': { state: 'queued', attempts: 0 },
        'Handlers.second': { state: 'queued', attempts: 0 },
      });
    });

    it('record a result again if the inbox fails', async () => {
      const settle = inbox.settle.bind(inbox);
      const spy = jest.spyOn(inbox, 'settle').mockRejectedValue(new Error('connection refused'));
      const { scalekit, handlers } = await startBackgroundApp(inbox);
      const event = createScalekitEvent('user.created');
      await scalekit.deliver(event);
      await until(
        () => spy.mock.calls.length,
        (calls) => calls > 2,
      );

      spy.mockImplementation(settle);

      await untilRuns(inbox, event.id, 'done');
      expect(handlers.runs).toHaveLength(2);
    });

    it('answer 503 while a delivery cannot be stored', async () => {
      jest.spyOn(inbox, 'enqueue').mockRejectedValue(new Error('connection refused'));
      const transport = new InboxTransport(FAST);
      const { scalekit } = await startHandlers({ inbox, transport, handlerTimeoutMs: 300 });

      const { status, headers } = await scalekit.deliver(createScalekitEvent('user.created'));

      expect({ status, retryAfter: headers.get('retry-after') }).toEqual({ status: 503, retryAfter: '5' });
    });

    it('count an event that this release cannot read as a failed attempt', async () => {
      const key = { endpoint: 'default', eventId: 'evt_1' };
      const event = { ...key, type: 'user.created', occurredAt: '', payload: Buffer.from('{"id":"evt_1"}') };
      await inbox.enqueue(event, ['Handlers.first']);

      await startBackgroundApp(inbox);

      expect(await untilRuns(inbox, 'evt_1', 'dead')).toMatchObject({
        'Handlers.first': { attempts: 3, error: { name: 'InvalidEventError' } },
      });
    });
  });
});
