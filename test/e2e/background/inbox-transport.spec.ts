import { beforeEach, describe, expect, it } from '@jest/globals';
import { type InboxWorkStore, NonRetryableEventError } from 'nestjs-scalekit-webhooks';
import { PostgresInboxStore } from 'nestjs-scalekit-webhooks/postgres';
import { createScalekitEvent } from 'nestjs-scalekit-webhooks/testing';
import { cleanUpAfterTest } from '../../helpers/cleanup.js';
import { deferred } from '../../helpers/deferred.js';
import { openPool, RecordingClient } from '../../helpers/postgres.js';
import { describeWithService } from '../../helpers/services.js';
import { ADAPTERS } from '../../helpers/test-app.js';
import { until } from '../../helpers/until.js';
import { WORK_DATABASES, type WorkDatabase } from '../../helpers/work-stores.js';
import { runsOf, startBackgroundApp, untilRuns } from './background-app.js';

await describeWithService('postgres', 'InboxTransport', () => {
  describe.each(WORK_DATABASES)('on %s', (_name, openDatabase) => {
    let database: WorkDatabase;
    let inbox: InboxWorkStore;

    beforeEach(async () => {
      database = await openDatabase();
      inbox = database.open();
    });

    it.each(ADAPTERS)('answers 202 and then runs the handlers, on %s', async (_adapter, adapter) => {
      const { scalekit, handlers } = await startBackgroundApp(inbox, {}, adapter);
      const event = createScalekitEvent('user.created');

      const { status, body } = await scalekit.deliver(event);

      expect({ status, body }).toEqual({ status: 202, body: { received: true, status: 'accepted' } });
      expect(await untilRuns(inbox, event.id, 'done')).toMatchObject({
        'Handlers.first': { attempts: 1 },
        'Handlers.second': { attempts: 1 },
      });
      expect(handlers.runs.sort()).toEqual([`first ${event.id} 1`, `second ${event.id}`]);
    });

    it.each(ADAPTERS)('answers a duplicate by what the runs are, on %s', async (_adapter, adapter) => {
      const { scalekit, handlers } = await startBackgroundApp(inbox, {}, adapter);
      const gate = deferred<void>();
      handlers.gate = gate.promise;
      const event = createScalekitEvent('user.created');

      const inProgress = await scalekit.deliverTwice(event);
      gate.resolve();
      await untilRuns(inbox, event.id, 'done');
      const finished = await scalekit.deliver(event);

      expect(inProgress.map(({ status }) => status)).toEqual([202, 202]);
      expect(finished.body).toEqual({ received: true, status: 'duplicate' });
      expect(handlers.runs).toHaveLength(2);
    });

    it('stores a delivery in one process, and runs its handlers in another', async () => {
      const web = await startBackgroundApp(inbox, { worker: false });
      const event = createScalekitEvent('user.created');
      await web.scalekit.deliver(event);
      expect(await runsOf(inbox, event.id)).toMatchObject({
        'Handlers.first': { state: 'queued', attempts: 0 },
      });

      const worker = await startBackgroundApp(database.open());
      await untilRuns(inbox, event.id, 'done');

      expect(worker.handlers.runs).toHaveLength(2);
      expect(web.handlers.runs).toEqual([]);
    });

    it('hands the delivery on to its handlers, without credentials', async () => {
      const web = await startBackgroundApp(inbox, { worker: false });
      const event = createScalekitEvent('user.created');
      await web.scalekit.deliver(event, {
        id: 'msg_1',
        headers: { authorization: 'Bearer made-up', 'x-tenant': 'acme' },
      });

      const { handlers } = await startBackgroundApp(database.open());
      await untilRuns(inbox, event.id, 'done');

      const [delivery] = handlers.deliveries;
      expect(delivery).toMatchObject({ id: 'msg_1', endpoint: 'default', attempt: 1 });
      expect(delivery?.headers).toMatchObject({ 'x-tenant': 'acme', 'webhook-id': 'msg_1' });
      expect(Object.keys(delivery?.headers ?? {})).not.toEqual(
        expect.arrayContaining([expect.stringMatching(/authorization|signature/)]),
      );
      expect(JSON.parse(String(delivery?.rawBody))).toEqual(JSON.parse(JSON.stringify(event)));
      const entry = await inbox.get({ endpoint: 'default', eventId: event.id });
      expect(delivery?.receivedAt).toEqual(entry?.receivedAt);
    });

    it('runs each handler once, however many workers there are', async () => {
      const workers = [
        await startBackgroundApp(inbox, { worker: { concurrency: 3 } }),
        await startBackgroundApp(database.open(), { worker: { concurrency: 3 } }),
      ];
      const events = Array.from({ length: 30 }, () => createScalekitEvent('user.created'));

      await Promise.all(events.map((event, index) => workers[index % 2]?.scalekit.deliver(event)));
      for (const { id } of events) await untilRuns(inbox, id, 'done');

      const runs = workers.flatMap(({ handlers }) => handlers.runs);
      expect(runs.sort()).toEqual(events.flatMap(({ id }) => [`first ${id} 1`, `second ${id}`]).sort());
    });

    it('executes as many runs at once as it may', async () => {
      const { scalekit, handlers } = await startBackgroundApp(inbox, { worker: { concurrency: 2 } });
      const gate = deferred<void>();
      handlers.gate = gate.promise;
      const events = Array.from({ length: 4 }, () => createScalekitEvent('user.created'));
      for (const event of events) await scalekit.deliver(event);

      await until(
        () => inbox.count({ state: 'running' }),
        (running) => running === 2,
      );
      expect(handlers.deliveries).toHaveLength(2);
      gate.resolve();

      for (const { id } of events) await untilRuns(inbox, id, 'done');
    });

    it('retries a failed run as often as its handler allows, and counts the attempts', async () => {
      const { scalekit, handlers } = await startBackgroundApp(inbox);
      handlers.failures = [new Error('once'), new Error('twice')];
      const event = createScalekitEvent('user.created');

      await scalekit.deliver(event);

      expect(await untilRuns(inbox, event.id, 'done')).toMatchObject({ 'Handlers.first': { attempts: 3 } });
      expect(handlers.runs.filter((run) => run.startsWith('first'))).toEqual(
        [1, 2, 3].map((attempt) => `first ${event.id} ${attempt}`),
      );
      const keys = new Set(handlers.deliveries.map(({ idempotencyKey }) => idempotencyKey));
      expect(keys.size).toBe(1);
    });

    it('waits before it retries', async () => {
      const { scalekit, handlers } = await startBackgroundApp(inbox, { backoff: 3_600_000 });
      handlers.failures = [new Error('once')];
      const event = createScalekitEvent('user.created');
      await scalekit.deliver(event);
      await untilRuns(inbox, event.id, 'failed', 'done');
      expect(await runsOf(inbox, event.id)).toMatchObject({
        'Handlers.first': { state: 'failed', attempts: 1, error: { message: 'once' } },
      });

      await database.passTime(3_600_001);

      await untilRuns(inbox, event.id, 'done');
    });

    it('answers 202 to a delivery of an event with a run that waits to be retried', async () => {
      const { scalekit, handlers } = await startBackgroundApp(inbox, { backoff: 3_600_000 });
      handlers.failures = [new Error('once')];
      const event = createScalekitEvent('user.created');
      await scalekit.deliver(event);
      await untilRuns(inbox, event.id, 'failed', 'done');

      expect((await scalekit.deliver(event)).status).toBe(202);
      expect(await runsOf(inbox, event.id)).toMatchObject({
        'Handlers.first': { state: 'failed', attempts: 1 },
      });
    });

    it('records a run as dead when its last attempt fails, and answers later deliveries with dead', async () => {
      const { scalekit, handlers } = await startBackgroundApp(inbox);
      handlers.failures = [new Error('one'), new Error('two'), new Error('three')];
      const event = createScalekitEvent('user.created');

      await scalekit.deliver(event);

      expect(await untilRuns(inbox, event.id, 'dead', 'done')).toMatchObject({
        'Handlers.first': { state: 'dead', attempts: 3, error: { name: 'Error', message: 'three' } },
        'Handlers.second': { state: 'done' },
      });
      expect((await scalekit.deliver(event)).body).toEqual({ received: true, status: 'dead' });
    });

    it('records a run as dead at once if its handler throws NonRetryableEventError', async () => {
      const { scalekit, handlers } = await startBackgroundApp(inbox);
      handlers.failures = [new NonRetryableEventError('not ours')];
      const event = createScalekitEvent('user.created');

      await scalekit.deliver(event);

      expect(await untilRuns(inbox, event.id, 'dead', 'done')).toMatchObject({
        'Handlers.first': { state: 'dead', attempts: 1 },
      });
    });

    it.each(ADAPTERS)(
      'records a run as dead whose payload was erased, and runs others, on %s',
      async (_adapter, adapter) => {
        const web = await startBackgroundApp(inbox, { worker: false }, adapter);
        const events = ['org_1', 'org_2'].map((organization_id) =>
          createScalekitEvent('user.created', { organization_id }),
        );
        for (const event of events) await web.scalekit.deliver(event);
        const [erased, other] = events.map(({ id }) => id);
        expect(await web.inbox.erase({ organizationId: 'org_1' })).toBe(1);

        const { handlers, scalekit, logger } = await startBackgroundApp(database.open(), {}, adapter);

        await untilRuns(inbox, other ?? '', 'done');
        const error = { name: 'PayloadErasedError', message: expect.stringContaining('Dismiss the run') };
        expect(await untilRuns(inbox, erased ?? '', 'dead')).toMatchObject({
          'Handlers.first': { state: 'dead', attempts: 1, error },
          'Handlers.second': { state: 'dead', attempts: 1, error },
        });
        expect(handlers.runs.sort()).toEqual([`first ${other} 1`, `second ${other}`]);
        expect(logger.ours('error').join()).toMatch(
          /and will not run again: PayloadErasedError: .+ Dismiss the run/,
        );
        const again = events[0] ?? createScalekitEvent('user.created');
        expect((await scalekit.deliver(again)).body).toEqual({ received: true, status: 'dead' });
      },
    );

    it('replays a dead run, with all of its attempts', async () => {
      const { scalekit, handlers, inbox: service } = await startBackgroundApp(inbox);
      handlers.failures = Array.from({ length: 5 }, (_, number) => new Error(`${number}`));
      const event = createScalekitEvent('user.created');
      await scalekit.deliver(event);
      await untilRuns(inbox, event.id, 'dead', 'done');

      expect(await service.replay(event.id)).toMatchObject({
        outcome: 'accepted',
        handlers: [
          { handlerId: 'Handlers.first', state: 'queued' },
          { handlerId: 'Handlers.second', state: 'already_done' },
        ],
      });

      expect(await untilRuns(inbox, event.id, 'done')).toMatchObject({ 'Handlers.first': { attempts: 6 } });
    });

    it('takes over the run of a process that died', async () => {
      const event = createScalekitEvent('user.created');
      const web = await startBackgroundApp(inbox, { worker: false });
      await web.scalekit.deliver(event);
      const lease = { token: 'of the dead', durationMs: 30_000 };
      const handlerIds = ['Handlers.first', 'Handlers.second'];
      await inbox.takeDue({ endpoint: 'default', handlerIds, limit: 2, lease });

      const { handlers } = await startBackgroundApp(database.open());
      await database.passTime(30_001);

      await untilRuns(inbox, event.id, 'done');
      expect(handlers.runs.sort()).toEqual([`first ${event.id} 2`, `second ${event.id}`]);
    });

    it('gives up a run that ends the process each time', async () => {
      const event = createScalekitEvent('user.created');
      const web = await startBackgroundApp(inbox, { worker: false });
      await web.scalekit.deliver(event);
      for (let attempt = 1; attempt <= 3; attempt += 1) {
        const lease = { token: `attempt ${attempt}`, durationMs: 1 };
        await inbox.takeDue({ endpoint: 'default', handlerIds: ['Handlers.first'], limit: 1, lease });
        await database.passTime(2);
      }

      const { handlers } = await startBackgroundApp(database.open());

      expect(await untilRuns(inbox, event.id, 'done', 'dead')).toMatchObject({
        'Handlers.first': { state: 'dead', error: { message: expect.stringContaining('no result') } },
      });
      expect(handlers.runs).toEqual([`second ${event.id}`]);
    });

    it('gives up a run that failed as often as a later release allows, with the reason of its last failure', async () => {
      const web = await startBackgroundApp(inbox, { worker: false });
      const event = createScalekitEvent('user.created');
      await web.scalekit.deliver(event);
      for (let attempt = 1; attempt <= 4; attempt += 1) {
        const lease = { token: `attempt ${attempt}`, durationMs: 1000 };
        await inbox.takeDue({ endpoint: 'default', handlerIds: ['Handlers.first'], limit: 1, lease });
        const error = { name: 'TypeError', message: `no tenant in attempt ${attempt}` };
        const key = { endpoint: 'default', eventId: event.id };
        await inbox.settle(key, [{ handlerId: 'Handlers.first', state: 'failed', error }], lease);
      }

      // Its handler has 3 attempts.
      const { handlers, logger } = await startBackgroundApp(database.open());

      const reason =
        'No attempts are left (limit: 3). The last one failed with TypeError: no tenant in attempt 4';
      expect(await untilRuns(inbox, event.id, 'done', 'dead')).toMatchObject({
        'Handlers.first': { state: 'dead', error: { message: reason } },
      });
      expect(handlers.runs).toEqual([`second ${event.id}`]);
      expect(logger.oursInFull('error')).toEqual([expect.stringContaining(reason)]);
    });

    it('extends the lease of a slow handler', async () => {
      const { scalekit, handlers } = await startBackgroundApp(inbox, { handlerTimeoutMs: 1000 });
      const gate = deferred<void>();
      handlers.gate = gate.promise;
      const event = createScalekitEvent('user.created');
      await scalekit.deliver(event);
      await untilRuns(inbox, event.id, 'running', 'done');
      const leaseEndsInMs = async () => {
        const claimed = {
          ...event,
          endpoint: 'default',
          eventId: event.id,
          occurredAt: '',
          payload: Buffer.alloc(0),
        };
        const lease = { token: 'other', durationMs: 1 };
        const claim = (await inbox.claim(claimed, ['Handlers.first'], lease)).get('Handlers.first');
        return claim?.state === 'running' ? claim.leaseEndsInMs : 0;
      };

      // The lease lasts 2000 ms.
      await database.passTime(1000);
      expect(await leaseEndsInMs()).toBeLessThan(1001);

      await until(leaseEndsInMs, (left) => left > 1300);
      gate.resolve();
      expect(await untilRuns(inbox, event.id, 'done')).toMatchObject({ 'Handlers.first': { attempts: 1 } });
    });
  });

  it.each(ADAPTERS)('stores a delivery in one statement on Postgres, on %s', async (_adapter, adapter) => {
    const [, openPostgres] = WORK_DATABASES[0];
    const [, schema = ''] = (await openPostgres()).arguments;
    const pool = openPool();
    cleanUpAfterTest(() => pool.end());
    const client = new RecordingClient(pool);
    const inbox = new PostgresInboxStore({ client, application: 'test', schema, migrate: false });
    const { scalekit } = await startBackgroundApp(inbox, { worker: false }, adapter);
    await scalekit.deliver(createScalekitEvent('user.created'));
    client.statements.length = 0;

    expect((await scalekit.deliver(createScalekitEvent('user.created'))).status).toBe(202);

    expect(client.statements).toHaveLength(1);
  });
});
