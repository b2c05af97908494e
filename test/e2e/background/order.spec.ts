import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import {
  InboxTransport,
  type InboxTransportOptions,
  type InboxWorkStore,
  MemoryInboxStore,
  OnScalekitEvent,
  type OnScalekitEventOptions,
  type ScalekitEvent,
  ScalekitInbox,
  ScalekitWebhooksModule,
  type ScalekitWebhooksOptions,
} from 'nestjs-scalekit-webhooks';
import { createScalekitEvent, ScalekitWebhookTester } from 'nestjs-scalekit-webhooks/testing';
import { CapturedLogger } from '../../helpers/captured-logger.js';
import { deferred } from '../../helpers/deferred.js';
import { runOnExpress } from '../../helpers/running-app.js';
import { SECRET } from '../../helpers/secrets.js';
import { describeWithService } from '../../helpers/services.js';
import { until } from '../../helpers/until.js';
import { WORK_DATABASES } from '../../helpers/work-stores.js';
import { runsOf, untilRuns } from './background-app.js';

type Order = OnScalekitEventOptions<ScalekitEvent<'user.updated'>>['order'];

const run = jest.fn<(name: string) => Promise<void>>();

/** An application with a handler that keeps this order. */
async function start(order: Order, inbox: InboxWorkStore, options: ScalekitWebhooksOptions = {}) {
  class Counts {
    @OnScalekitEvent('user.updated', { order, id: 'Counts.count' })
    count(event: ScalekitEvent<'user.updated'>) {
      return run(event.data.user?.first_name ?? '');
    }
  }
  const logger = new CapturedLogger();
  const app = await runOnExpress(
    {
      imports: [ScalekitWebhooksModule.forRoot({ signingSecret: SECRET, inbox, ...options })],
      providers: [Counts],
    },
    undefined,
    { logger },
  );
  return {
    app,
    logger,
    scalekit: new ScalekitWebhookTester(app),
    inbox: app.get(ScalekitInbox, { strict: false }),
  };
}

function inBackground(options: InboxTransportOptions = {}): ScalekitWebhooksOptions {
  return { transport: new InboxTransport({ pollIntervalMs: 20, backoff: 1, ...options }) };
}

function anUpdate(name: string, second: number, { user = 'usr_1', organization = 'org_1' } = {}) {
  return createScalekitEvent('user.updated', {
    organization_id: organization,
    occurred_at: `2026-01-02T03:04:${String(second).padStart(2, '0')}Z`,
    data: { user: { id: user, first_name: name } },
  });
}

describe('order', () => {
  const names = () => run.mock.calls.map(([name]) => name);

  /** Delivers events while no worker takes them, and waits until all of them are done. */
  async function handleTogether(
    { scalekit, inbox }: Awaited<ReturnType<typeof start>>,
    store: InboxWorkStore,
    events: readonly ReturnType<typeof anUpdate>[],
  ) {
    await inbox.pause();
    for (const event of events) expect((await scalekit.deliver(event)).status).toBe(202);
    await inbox.resume();
    for (const { id } of events) await untilRuns(store, id, 'done', 'dead');
  }

  beforeEach(() => {
    run.mockReset();
    run.mockResolvedValue();
  });

  it("'entity' handles events of one entity oldest first", async () => {
    const store = new MemoryInboxStore();
    const app = await start('entity', store, inBackground());

    await handleTogether(app, store, [anUpdate('c', 3), anUpdate('a', 1), anUpdate('b', 2)]);

    expect(names()).toEqual(['a', 'b', 'c']);
  });

  it("'organization' handles events of one organization oldest first, whichever user they are about", async () => {
    const store = new MemoryInboxStore();
    const app = await start('organization', store, inBackground());

    await handleTogether(app, store, [
      anUpdate('b', 2, { user: 'usr_2' }),
      anUpdate('a', 1, { user: 'usr_1' }),
    ]);

    expect(names()).toEqual(['a', 'b']);
  });

  it('takes a function, whose event has the type that the pattern says', async () => {
    const store = new MemoryInboxStore();
    const app = await start(({ data }) => data.user?.id ?? undefined, store, inBackground());

    await handleTogether(app, store, [anUpdate('b', 2), anUpdate('a', 1)]);

    expect(names()).toEqual(['a', 'b']);
  });

  it('lets an event run at any time for which the function returns undefined', async () => {
    const store = new MemoryInboxStore();
    const app = await start(() => undefined, store, inBackground());
    const gate = deferred();
    run.mockImplementationOnce(() => gate.promise);
    const [first, second] = [anUpdate('a', 1), anUpdate('b', 2)];
    await app.scalekit.deliver(first);
    await app.scalekit.deliver(second);

    await untilRuns(store, second.id, 'done');

    gate.resolve();
    await untilRuns(store, first.id, 'done');
  });

  it.each<[string, Order, RegExp]>([
    ['throws', () => fail('no tenant'), /no tenant/],
    [
      'returns a promise',
      async () => 'usr_1',
      /The order function of Counts\.count returned an object\. Return a string/,
    ],
    ['returns an empty text', () => '', /returned ""/],
  ] as unknown as [string, Order, RegExp][])(
    'stores an event whose order function %s, and fails its attempts until it is dead',
    async (_, order, reason) => {
      const store = new MemoryInboxStore();
      const { scalekit, logger } = await start(order, store, inBackground({ attempts: 2 }));
      const event = anUpdate('a', 1);

      expect((await scalekit.deliver(event)).status).toBe(202);

      const runs = await untilRuns(store, event.id, 'dead');
      expect(runs['Counts.count']).toMatchObject({
        attempts: 2,
        error: { message: expect.stringMatching(reason) },
      });
      expect(run).not.toHaveBeenCalled();
      expect(logger.ours('error').join()).toMatch(reason);
    },
  );

  it.each([
    ['in the request', {}],
    ['by a transport of your own', { transport: { start: () => [] } }],
  ] satisfies [string, ScalekitWebhooksOptions][])(
    'is an error at startup if handlers run %s, which says what to use',
    async (_, options) => {
      await expect(start('entity', new MemoryInboxStore(), options)).rejects.toThrow(
        /Counts\.count sets order, which only InboxTransport supports.*new InboxTransport\(\).*latestOnly/,
      );
    },
  );

  it('is an error at startup if the inbox cannot keep it', async () => {
    const store: InboxWorkStore = Object.assign(Object.create(new MemoryInboxStore()), {
      endTurn: undefined,
    });

    await expect(start('entity', store, inBackground())).rejects.toThrow(
      /Counts\.count sets order, but .* has no endTurn\(\)/,
    );
  });

  it('goes on at once in the process that ended a run, without waiting for a poll', async () => {
    const store = new MemoryInboxStore();
    const app = await start('entity', store, inBackground({ pollIntervalMs: 3_600_000 }));

    await handleTogether(app, store, [anUpdate('a', 1), anUpdate('b', 2), anUpdate('c', 3)]);

    expect(names()).toEqual(['a', 'b', 'c']);
  });
});

function fail(message: string): never {
  throw new Error(message);
}

await describeWithService('postgres', 'order with a durable inbox', () => {
  describe.each(WORK_DATABASES)('on %s', (_name, openDatabase) => {
    it('holds back what is behind a run that fails, and nothing else', async () => {
      const store = (await openDatabase()).open();
      const app = await start('entity', store, inBackground({ attempts: 3, backoff: 200 }));
      const failed: string[] = [];
      run.mockReset();
      run.mockImplementation(async (name) => {
        failed.push(name);
        if (name === 'a' && failed.filter((other) => other === 'a').length < 3) throw new Error('not yet');
      });
      const [first, second] = [anUpdate('a', 1), anUpdate('b', 2)];
      const other = anUpdate('x', 3, { user: 'usr_2' });
      for (const event of [second, first, other])
        await app.inbox.pause().then(() => app.scalekit.deliver(event));
      await app.inbox.resume();

      await untilRuns(store, other.id, 'done');
      expect(failed).not.toContain('b');
      await untilRuns(store, second.id, 'done');

      expect(failed.filter((name) => name !== 'x')).toEqual(['a', 'a', 'a', 'b']);
    });

    it('is an error at startup with retryFailed, which says what to use', async () => {
      const store = (await openDatabase()).open();

      await expect(start('entity', store, { retryFailed: true })).rejects.toThrow(
        /Counts\.count sets order, which only InboxTransport supports/,
      );
    });

    it('keeps the order of a key across processes', async () => {
      const database = await openDatabase();
      const stores = [database.open(), database.open()];
      const apps = await Promise.all(
        stores.map((store) => start('entity', store, inBackground({ worker: { concurrency: 4 } }))),
      );
      run.mockReset();
      let active = 0;
      let most = 0;
      run.mockImplementation(async () => {
        active += 1;
        most = Math.max(most, active);
        await new Promise(setImmediate);
        active -= 1;
      });
      const events = Array.from({ length: 10 }, (_, index) => anUpdate(String(index), index));
      await apps[0]?.inbox.pause();
      for (const event of [...events].reverse()) await apps[0]?.scalekit.deliver(event);
      await apps[0]?.inbox.resume();
      for (const { id } of events) await untilRuns(stores[0] as InboxWorkStore, id, 'done');

      expect(most).toBe(1);
      expect(run.mock.calls.map(([name]) => name)).toEqual(events.map((_, index) => String(index)));
    });

    it('goes on when a run is dismissed', async () => {
      const store = (await openDatabase()).open();
      const app = await start('entity', store, inBackground({ attempts: 3, backoff: 3_600_000 }));
      run.mockReset();
      run.mockRejectedValueOnce(new Error('broken'));
      run.mockResolvedValue();
      const [first, second] = [anUpdate('a', 1), anUpdate('b', 2)];
      await app.scalekit.deliver(first);
      await untilRuns(store, first.id, 'failed');
      await app.scalekit.deliver(second);

      await app.inbox.dismiss(first.id);

      await untilRuns(store, second.id, 'done');
      expect(await runsOf(store, first.id)).toMatchObject({ 'Counts.count': { state: 'done' } });
      await until(
        () => run.mock.calls.length,
        (count) => count === 2,
      );
    });
  });
});
