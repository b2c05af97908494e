import { beforeEach, describe, expect, it } from '@jest/globals';
import type { InboxWorkStore } from 'nestjs-scalekit-webhooks';
import { createScalekitEvent } from 'nestjs-scalekit-webhooks/testing';
import { cleanUpAfterTest } from '../../helpers/cleanup.js';
import { describeWithService } from '../../helpers/services.js';
import { ADAPTERS } from '../../helpers/test-app.js';
import { TypeScriptProcess } from '../../helpers/typescript-process.js';
import { WORK_DATABASES, type WorkDatabase } from '../../helpers/work-stores.js';
import { runsOf, startBackgroundApp, untilRuns } from './background-app.js';

const MAIN = new URL('./worker.main.ts', import.meta.url);

await describeWithService('postgres', 'Worker processes', () => {
  describe.each(WORK_DATABASES)('on %s', (_name, openDatabase) => {
    let database: WorkDatabase;
    let inbox: InboxWorkStore;

    beforeEach(async () => {
      database = await openDatabase();
      inbox = database.open();
    });

    /** Starts a process without HTTP that works on the inbox. */
    async function startWorker(manner = 'at once'): Promise<TypeScriptProcess> {
      const worker = new TypeScriptProcess(MAIN, ...database.arguments, manner);
      cleanUpAfterTest(() => worker.kill());
      expect(await worker.line()).toBe('ready');
      return worker;
    }

    it.each(ADAPTERS)(
      'take over the run of a process that was killed, on %s',
      async (_adapter, adapter) => {
        const web = await startBackgroundApp(inbox, { worker: false }, adapter);
        const killed = await startWorker('halting');
        const event = createScalekitEvent('user.created');
        expect((await web.scalekit.deliver(event)).status).toBe(202);
        expect(await killed.line()).toBe(event.id);

        await killed.kill();
        const next = await startWorker();
        expect(await runsOf(inbox, event.id)).toMatchObject({
          'Handlers.first': { state: 'running', attempts: 1 },
        });
        await database.passTime(30_001);

        expect(await next.line()).toBe(event.id);
        await startBackgroundApp(database.open());
        expect(await untilRuns(inbox, event.id, 'done')).toMatchObject({ 'Handlers.first': { attempts: 2 } });
      },
      60_000,
    );

    it('run each handler once between them', async () => {
      const web = await startBackgroundApp(inbox, { worker: false });
      const events = Array.from({ length: 40 }, () => createScalekitEvent('user.created'));
      for (const event of events) await web.scalekit.deliver(event);

      const workers = await Promise.all([startWorker(), startWorker()]);
      // Only the application here has the second handler.
      await startBackgroundApp(database.open(), { worker: { concurrency: 1 } });
      for (const { id } of events) await untilRuns(inbox, id, 'done');

      for (const { id } of events) {
        expect(await runsOf(inbox, id)).toMatchObject({
          'Handlers.first': { attempts: 1 },
          'Handlers.second': { attempts: 1 },
        });
      }
      expect(workers).toHaveLength(2);
    }, 60_000);
  });
});
