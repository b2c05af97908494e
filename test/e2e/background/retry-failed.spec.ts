import { beforeEach, describe, expect, it } from '@jest/globals';
import type { InboxWorkStore } from 'nestjs-scalekit-webhooks';
import { createScalekitEvent } from 'nestjs-scalekit-webhooks/testing';
import { describeWithService } from '../../helpers/services.js';
import { ADAPTERS } from '../../helpers/test-app.js';
import { until } from '../../helpers/until.js';
import { WORK_DATABASES, type WorkDatabase } from '../../helpers/work-stores.js';
import { type BackgroundApp, runsOf, startHandlers, untilRuns } from './background-app.js';

const MINUTE_MS = 60_000;
const HANDLERS = ['Handlers.first', 'Handlers.second'];
const ANY_RUN = {
  endpoint: 'default',
  handlerIds: HANDLERS,
  limit: 9,
  lease: { token: 'test', durationMs: 1 },
};

await describeWithService('postgres', 'retryFailed', () => {
  describe.each(WORK_DATABASES)('on %s', (_name, openDatabase) => {
    let database: WorkDatabase;
    let inbox: InboxWorkStore;

    beforeEach(async () => {
      database = await openDatabase();
      inbox = database.open();
    });

    /** Lets the worker look for runs, which it otherwise does every 10 s. */
    const wake = ({ inbox: service }: BackgroundApp) => service.resume();

    /** Takes the runs that are due after this time, and gives them back, as a worker does whose application closes. */
    async function giveBack(ms: number): Promise<void> {
      await database.passTime(ms);
      const store = database.open();
      const { runs } = await store.takeDue(ANY_RUN);
      for (const run of runs)
        await store.settle(run, [{ handlerId: run.handlerId, state: 'queued' }], ANY_RUN.lease);
      expect(runs).toHaveLength(1);
    }

    async function failedDelivery(app: BackgroundApp) {
      app.handlers.failures = [new Error('no database')];
      const event = createScalekitEvent('user.created');
      const { status } = await app.scalekit.deliver(event);
      return { event, status };
    }

    it.each(ADAPTERS)(
      'retries a failed run half an hour after its last attempt, on %s',
      async (_a, adapter) => {
        const app = await startHandlers({ inbox, retryFailed: true }, adapter);
        const { event, status } = await failedDelivery(app);
        expect(status).toBe(500);
        await database.passTime(29 * MINUTE_MS);
        await wake(app);
        expect((await inbox.takeDue(ANY_RUN)).runs).toEqual([]);

        await database.passTime(2 * MINUTE_MS);
        await wake(app);

        expect(await untilRuns(inbox, event.id, 'done')).toMatchObject({
          'Handlers.first': { attempts: 2 },
          'Handlers.second': { attempts: 1 },
        });
        expect(app.handlers.deliveries.at(-1)?.headers).toHaveProperty('webhook-id');
        expect((await app.scalekit.deliver(event)).body).toEqual({ received: true, status: 'duplicate' });
      },
    );

    it('leaves a run to Scalekit as long as its deliveries come', async () => {
      const app = await startHandlers({ inbox, retryFailed: true });
      const { event } = await failedDelivery(app);
      await database.passTime(20 * MINUTE_MS);
      app.handlers.failures = [new Error('again')];
      expect((await app.scalekit.deliver(event)).status).toBe(500);
      await database.passTime(20 * MINUTE_MS);
      await wake(app);
      expect(await runsOf(inbox, event.id)).toMatchObject({
        'Handlers.first': { state: 'failed', attempts: 2 },
      });

      expect((await app.scalekit.deliver(event)).status).toBe(201);
      expect(await runsOf(inbox, event.id)).toMatchObject({
        'Handlers.first': { state: 'done', attempts: 3 },
      });
    });

    it('retries a run whose process died', async () => {
      const event = createScalekitEvent('user.created');
      const body = Buffer.from(JSON.stringify(event));
      const { id: eventId, type, occurred_at: occurredAt } = event;
      const lease = { token: 'of the dead', durationMs: 18_000, retryInMs: 30 * MINUTE_MS };
      await inbox.claim({ endpoint: 'default', eventId, type, occurredAt, payload: body }, HANDLERS, lease);

      const app = await startHandlers({ inbox: database.open(), retryFailed: true });
      await database.passTime(31 * MINUTE_MS);
      await wake(app);

      await untilRuns(inbox, event.id, 'done');
      expect(app.handlers.runs.sort()).toEqual([`first ${event.id} 2`, `second ${event.id}`]);
    });

    it('records a run as dead after the attempts of its handler, without those of Scalekit', async () => {
      const app = await startHandlers({ inbox, retryFailed: true });
      const { event } = await failedDelivery(app);
      app.handlers.failures = Array.from({ length: 9 }, (_, number) => new Error(`${number}`));
      for (let attempt = 1; attempt <= 3; attempt += 1) {
        await database.passTime(60 * MINUTE_MS);
        await wake(app);
        const state = attempt < 3 ? 'failed' : 'dead';
        await untilAttempts(inbox, event.id, attempt + 1, state);
      }

      expect(await runsOf(inbox, event.id)).toMatchObject({
        'Handlers.first': { state: 'dead', attempts: 4 },
      });
    });

    it('leaves nothing behind when it is turned off: a delivery runs what a worker has given back', async () => {
      const event = createScalekitEvent('user.created');
      const retrying = await startHandlers({ inbox, retryFailed: true });
      retrying.handlers.failures = [new Error('no database')];
      expect((await retrying.scalekit.deliver(event)).status).toBe(500);
      await retrying.app.close();
      await giveBack(31 * MINUTE_MS);
      expect(await runsOf(inbox, event.id)).toMatchObject({
        'Handlers.first': { state: 'queued', attempts: 1 },
      });

      const app = await startHandlers({ inbox: database.open() });

      expect((await app.scalekit.deliver(event)).body).toEqual({ received: true, status: 'processed' });
      expect(app.handlers.runs).toEqual([`first ${event.id} 2`]);
      expect(await runsOf(inbox, event.id)).toMatchObject({
        'Handlers.first': { state: 'done', attempts: 2 },
      });
    });

    it('does not concern runs that are done, and costs nothing more', async () => {
      const app = await startHandlers({ inbox, retryFailed: true });
      const event = createScalekitEvent('user.created');
      expect((await app.scalekit.deliver(event)).status).toBe(201);

      await database.passTime(60 * MINUTE_MS);

      expect((await inbox.takeDue(ANY_RUN)).runs).toEqual([]);
    });
  });
});

async function untilAttempts(inbox: InboxWorkStore, eventId: string, attempts: number, state: string) {
  await until(
    async () => (await runsOf(inbox, eventId))['Handlers.first'],
    (run) => run?.attempts === attempts && run.state === state,
  );
}
