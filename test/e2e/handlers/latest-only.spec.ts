import { describe, expect, it, jest } from '@jest/globals';
import {
  type InboxStore,
  InboxTransport,
  MemoryInboxStore,
  OnScalekitEvent,
  type ScalekitDelivery,
  type ScalekitEvent,
  ScalekitInbox,
  ScalekitWebhooksModule,
  type ScalekitWebhooksOptions,
  scalekitEventEntity,
} from 'nestjs-scalekit-webhooks';
import { SqliteInboxStore } from 'nestjs-scalekit-webhooks/sqlite';
import { createScalekitEvent, ScalekitWebhookTester } from 'nestjs-scalekit-webhooks/testing';
import { CapturedLogger } from '../../helpers/captured-logger.js';
import { deferred } from '../../helpers/deferred.js';
import { run, runOnExpress } from '../../helpers/running-app.js';
import { openSqlite, sqliteFile } from '../../helpers/sqlite-files.js';
import { ADAPTERS, type AdapterFactory, SECRET } from '../../helpers/test-app.js';
import { until } from '../../helpers/until.js';

/** Copies the name of a user. */
class Copies {
  readonly names: (string | null | undefined)[] = [];
  readonly run = jest.fn(async (_event: ScalekitEvent<'user.updated'>, _delivery: ScalekitDelivery) => {});

  @OnScalekitEvent('user.updated', { latestOnly: true })
  async copy(event: ScalekitEvent<'user.updated'>, delivery: ScalekitDelivery) {
    await this.run(event, delivery);
    this.names.push(event.data.user?.first_name);
  }
}

function anUpdate(name: string, occurredAt: string, user: object = { id: 'usr_1' }) {
  return createScalekitEvent('user.updated', {
    occurred_at: `2026-01-02T03:04:${occurredAt}Z`,
    data: { user: { ...user, first_name: name } },
  });
}

async function start(options: ScalekitWebhooksOptions = {}, adapter?: AdapterFactory) {
  const inbox = options.inbox ?? new MemoryInboxStore();
  const logger = new CapturedLogger();
  const metadata = {
    imports: [ScalekitWebhooksModule.forRoot({ signingSecret: SECRET, ...options, inbox })],
    providers: [Copies],
  };
  const app = await (adapter
    ? run(adapter, metadata, undefined, { logger })
    : runOnExpress(metadata, undefined, { logger }));
  return { app, inbox, logger, scalekit: new ScalekitWebhookTester(app), copies: app.get(Copies) };
}

async function runOf(inbox: InboxStore, eventId: string) {
  return (await inbox.get({ endpoint: 'default', eventId }))?.runs[0];
}

describe.each(ADAPTERS)('a handler with latestOnly, on %s,', (_name, adapter) => {
  it('does not run for an event that is older than the newest one done', async () => {
    const { scalekit, copies, inbox, logger } = await start({}, adapter);
    const [older, newer] = [anUpdate('Old', '05'), anUpdate('New', '06')];
    await scalekit.deliver(newer);

    expect((await scalekit.deliver(older)).status).toBe(201);

    expect(copies.names).toEqual(['New']);
    expect(await runOf(inbox, older.id)).toMatchObject({ state: 'done', note: 'stale' });
    expect(logger.ours('log').filter((line) => line.includes(older.id))).toEqual([
      `Copies.copy did not run for ${older.id} (user.updated), because a newer event of the same entity is done`,
    ]);
    expect((await scalekit.deliver(older)).body).toEqual({ received: true, status: 'duplicate' });
  });

  it('runs for an older event of something else', async () => {
    const { scalekit, copies } = await start({}, adapter);
    await scalekit.deliver(anUpdate('New', '06'));

    await scalekit.deliver(anUpdate('Other', '05', { id: 'usr_2' }));

    expect(copies.names).toEqual(['New', 'Other']);
  });

  it('runs for an event that is not about anything that has an id', async () => {
    const { scalekit, copies } = await start({}, adapter);
    const user = { id: null, email: 'a@example.com' };
    const [newer, older] = [anUpdate('New', '06', user), anUpdate('Old', '05', user)];
    expect([scalekitEventEntity(newer), scalekitEventEntity(older)]).toEqual([undefined, undefined]);

    await scalekit.deliver(newer);
    await scalekit.deliver(older);

    expect(copies.names).toEqual(['New', 'Old']);
  });

  it('runs for events of which it cannot tell when they happened', async () => {
    const { scalekit, copies } = await start({}, adapter);
    await scalekit.deliver(anUpdate('New', '06'));

    await scalekit.deliver({ ...anUpdate('Undated', '05'), occurred_at: 'yesterday' });

    expect(copies.names).toEqual(['New', 'Undated']);
  });

  it('handles one event of an entity after the other, even if they arrive together', async () => {
    const { scalekit, copies } = await start({}, adapter);
    const gate = deferred();
    const started = deferred();
    copies.run.mockImplementationOnce(async () => {
      started.resolve();
      await gate.promise;
    });
    const first = scalekit.deliver(anUpdate('Old', '05'));
    await started.promise;
    const second = scalekit.deliver(anUpdate('New', '06'));
    gate.resolve();

    expect((await Promise.all([first, second])).map(({ status }) => status)).toEqual([201, 201]);
    expect(copies.names).toEqual(['Old', 'New']);
  });

  it('answers 503 if another event of the entity takes too long, and runs with the next delivery', async () => {
    const { scalekit, copies, inbox } = await start({ handlerTimeoutMs: 400 }, adapter);
    const gate = deferred();
    const started = deferred();
    copies.run.mockImplementationOnce(async () => {
      started.resolve();
      await gate.promise;
    });
    const first = scalekit.deliver(anUpdate('Old', '05'));
    await started.promise;
    const newer = anUpdate('New', '06');

    const { status, headers } = await scalekit.deliver(newer);

    expect({ status, retryAfter: headers.get('retry-after') }).toEqual({ status: 503, retryAfter: '5' });
    expect(await runOf(inbox, newer.id)).toMatchObject({
      state: 'failed',
      error: { message: expect.stringContaining('Another event of the same entity') },
    });
    gate.resolve();
    await first;
    expect((await scalekit.deliver(newer)).status).toBe(201);
    expect(copies.names.at(-1)).toBe('New');
  });
});

describe('a handler with latestOnly', () => {
  it('stays stale in a replay as long as something newer is done', async () => {
    const database = openSqlite(await sqliteFile());
    const { app, scalekit, copies } = await start({ inbox: new SqliteInboxStore({ database }) });
    const [older, newer] = [anUpdate('Old', '05'), anUpdate('New', '06')];
    await scalekit.deliver(newer);
    await scalekit.deliver(older);

    const inbox = app.get(ScalekitInbox, { strict: false });
    expect(await inbox.replay(older.id, { handlers: ['Copies.copy'] })).toMatchObject({
      outcome: 'processed',
    });
    expect(copies.names).toEqual(['New']);

    await inbox.replay(newer.id, { handlers: ['Copies.copy'] });
    expect(copies.names).toEqual(['New', 'New']);
  });

  it('answers 503 while the inbox cannot say which event is the newest', async () => {
    const inbox = new MemoryInboxStore();
    const { scalekit, copies } = await start({ inbox, handlerTimeoutMs: 200 });
    const admit = jest.spyOn(inbox, 'admit').mockRejectedValue(new Error('connection lost'));
    const event = anUpdate('New', '06');

    expect((await scalekit.deliver(event)).status).toBe(503);
    expect(copies.run).not.toHaveBeenCalled();
    expect(await runOf(inbox, event.id)).toMatchObject({
      state: 'failed',
      error: { message: 'connection lost' },
    });

    admit.mockRestore();
    expect((await scalekit.deliver(event)).status).toBe(201);
  });

  it('waits in the background without using up attempts', async () => {
    const inbox = new MemoryInboxStore();
    const transport = new InboxTransport({ pollIntervalMs: 20, attempts: 2 });
    const { scalekit, copies } = await start({ inbox, transport });
    const gate = deferred();
    const started = deferred();
    copies.run.mockImplementationOnce(async () => {
      started.resolve();
      await gate.promise;
    });
    await scalekit.deliver(anUpdate('Old', '05'));
    await started.promise;
    const newer = anUpdate('New', '06');
    await scalekit.deliver(newer);
    const waits = jest.spyOn(inbox, 'settle');

    await until(
      () => waits.mock.calls.filter(([{ eventId }]) => eventId === newer.id).length,
      (count) => count >= 2,
    );
    gate.resolve();
    await until(
      () => runOf(inbox, newer.id),
      (found) => found?.state === 'done',
    );

    expect(copies.names).toEqual(['Old', 'New']);
    expect(await runOf(inbox, newer.id)).toMatchObject({ attempts: 1 });
  });

  it('needs an inbox that can tell which event is the newest', async () => {
    const inbox: InboxStore = Object.assign(Object.create(new MemoryInboxStore()), { admit: undefined });

    await expect(start({ inbox })).rejects.toThrow(/Copies\.copy sets latestOnly, but .* has no admit\(\)/);
  });
});
