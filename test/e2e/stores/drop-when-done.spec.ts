import { describe, expect, it } from '@jest/globals';
import {
  type InboxTransaction,
  InboxTransport,
  OnScalekitEvent,
  type ScalekitDelivery,
  type ScalekitEvent,
  ScalekitInbox,
  ScalekitWebhooksModule,
} from 'nestjs-scalekit-webhooks';
import { PostgresInboxStore } from 'nestjs-scalekit-webhooks/postgres';
import { createScalekitEvent, ScalekitWebhookTester } from 'nestjs-scalekit-webhooks/testing';
import type { PostgresQueryable } from '../../../lib/postgres/postgres-queryable.js';
import { aLease, anEvent } from '../../conformance/inbox-store.harness.js';
import {
  type DumpedInbox,
  openBullMq,
  openPostgres,
  openRedis,
  openSqliteInbox,
} from '../../helpers/dumped-inboxes.js';
import { RecordingClient } from '../../helpers/postgres.js';
import { PostgresFixture } from '../../helpers/postgres-fixture.js';
import { closeAfterTest } from '../../helpers/running-app.js';
import { describeWithService } from '../../helpers/services.js';
import { ADAPTERS, type AdapterFactory, SECRET, startApp } from '../../helpers/test-app.js';
import { until } from '../../helpers/until.js';

const MARKER = 'jane.doe.marker@example.com';
const DROPS = { payloads: 'drop-when-done' } as const;
const A_DONE = [{ handlerId: 'A.run', state: 'done' }] as const;

/** Two handlers, of which the first may fail, or record its success in a transaction. */
class Handlers {
  isFailing = false;
  hasTransactions = false;

  @OnScalekitEvent('user.created')
  async first(_event: ScalekitEvent<'user.created'>, delivery: ScalekitDelivery): Promise<void> {
    if (this.isFailing) throw new Error('no tenant');
    if (this.hasTransactions) await delivery.transaction(async (_tx: InboxTransaction) => {});
  }

  @OnScalekitEvent('user.*')
  second(): void {}
}

async function start(
  adapter: AdapterFactory,
  { inbox, transport }: Pick<DumpedInbox, 'inbox' | 'transport'>,
) {
  const options = { signingSecret: SECRET, inbox, ...(transport && { transport }) };
  const module = ScalekitWebhooksModule.forRoot(options);
  const app = await startApp(adapter, { imports: [module], providers: [Handlers] });
  closeAfterTest(app);
  const scalekit = new ScalekitWebhookTester(app);
  return { handlers: app.get(Handlers), scalekit, own: app.get(ScalekitInbox, { strict: false }) };
}

function aUser() {
  return createScalekitEvent('user.created', { data: { user: { email: MARKER } } });
}

function describeDrops(open: (options: typeof DROPS) => Promise<DumpedInbox>): void {
  it.each(ADAPTERS)('nothing of an event is left when its runs are done, on %s', async (_name, adapter) => {
    const opened = await open(DROPS);
    const { handlers, scalekit, own } = await start(adapter, opened);
    handlers.isFailing = true;
    const event = aUser();
    expect((await scalekit.deliver(event)).status).toBe(500);
    expect(await opened.dump()).toContain(MARKER);

    handlers.isFailing = false;
    expect((await scalekit.deliver(event)).status).toBe(201);

    expect(await opened.dump()).not.toContain(MARKER);
    expect((await scalekit.deliver(event)).body).toEqual({ received: true, status: 'duplicate' });
    expect(await opened.dump()).not.toContain(MARKER);
    await expect(own.replay(event.id)).rejects.toMatchObject({ code: 'payload_missing' });
  });

  it('nothing is left when the failed run is dismissed', async () => {
    const opened = await open(DROPS);
    const { handlers, scalekit, own } = await start(ADAPTERS[0]?.[1] as AdapterFactory, opened);
    handlers.isFailing = true;
    const event = aUser();
    await scalekit.deliver(event);

    await own.dismiss(event.id);

    expect(await opened.dump()).not.toContain(MARKER);
  });
}

/** With stores that have transactions and workers. */
function describeWork(open: (options: typeof DROPS) => Promise<DumpedInbox>): void {
  it.each(ADAPTERS)('nothing is left after a transaction of a handler, on %s', async (_name, adapter) => {
    const opened = await open(DROPS);
    const { handlers, scalekit } = await start(adapter, opened);
    handlers.hasTransactions = true;

    expect((await scalekit.deliver(aUser())).status).toBe(201);

    expect(await opened.dump()).not.toContain(MARKER);
  });

  it.each(ADAPTERS)('nothing is left when workers are done, on %s', async (_name, adapter) => {
    const opened = await open(DROPS);
    const transport = new InboxTransport({ pollIntervalMs: 20 });
    const { scalekit } = await start(adapter, { ...opened, transport });

    expect((await scalekit.deliver(aUser())).status).toBe(202);

    await until(opened.dump, (dump) => !dump.includes(MARKER));
  });
}

await describeWithService('postgres', "payloads: 'drop-when-done' in Postgres", () => {
  const postgres = PostgresFixture.use();

  describeDrops(openPostgres);
  describeWork(openPostgres);

  const dropping = (client: PostgresQueryable = postgres.pool) =>
    new PostgresInboxStore({ client, application: 'test', schema: postgres.schema, ...DROPS });

  it('a process that dies before it has dropped a payload leaves that to another', async () => {
    const died = (pool: PostgresQueryable): PostgresQueryable => ({
      query: async (text: string, values?: unknown[]) => {
        if (text.includes('AS dropped FROM')) throw new Error('the process has died');
        return pool.query(text, values);
      },
    });
    const { inbox, dump, reopen } = await openPostgres(DROPS, died);
    const [event, lease] = [anEvent({ payload: Buffer.from(MARKER) }), aLease()];
    await inbox.claim(event, ['A.run'], lease);
    expect(await inbox.settle(event, A_DONE, lease)).toEqual(['A.run']);
    await inbox.close();
    expect(await dump()).toContain(MARKER);

    const other = reopen();
    await other.claim(anEvent(), ['A.run'], aLease());
    await other.close();

    expect(await dump()).not.toContain(MARKER);
  });

  it('a claim that adds a run while the payload is about to be dropped keeps it', async () => {
    const [event, lease] = [anEvent(), aLease()];
    const store = dropping();
    await store.claim(event, ['A.run'], lease);
    const transaction = await postgres.begin();
    await dropping(transaction).claim(event, ['B.run'], aLease());

    const settling = store.settle(event, A_DONE, lease);
    await postgres.untilBlocked();
    await postgres.commit(transaction);
    await settling;

    expect(Buffer.from((await store.payload(event)) ?? [])).toEqual(Buffer.from(event.payload));
  });

  it('a claim that adds a run while the payload is being dropped stores it again', async () => {
    const [event, lease, other] = [anEvent(), aLease(), aLease()];
    const store = dropping();
    await store.claim(event, ['A.run'], lease);
    const transaction = await postgres.begin();
    await dropping(transaction).settle(event, A_DONE, lease);

    const claiming = store.claim(event, ['B.run'], other);
    await postgres.untilBlocked();
    await postgres.commit(transaction);
    await claiming;

    expect(Buffer.from((await store.payload(event)) ?? [])).toEqual(Buffer.from(event.payload));
    await store.settle(event, [{ handlerId: 'B.run', state: 'done' }], other);
    expect(await store.payload(event)).toBeUndefined();
  });

  it('claims of several runs of one event can be in the same batch', async () => {
    const store = dropping();
    const ids = Array.from({ length: 12 }, (_, index) => `H${index}.run`);
    const event = anEvent();
    const claims = await Promise.all(ids.map((id) => store.claim(event, [id], aLease())));

    expect(claims.map((claim) => [...claim.values()][0]?.state)).toEqual(ids.map(() => 'claimed'));
  });

  it("'keep' takes no statement more", async () => {
    const client = new RecordingClient(postgres.pool);
    const store = new PostgresInboxStore({
      client,
      application: 'test',
      schema: postgres.schema,
      migrate: false,
    });
    await store.claim(anEvent(), ['A.run'], aLease());
    await store.close();
    client.statements.length = 0;

    const [event, lease] = [anEvent(), aLease()];
    await store.claim(event, ['A.run'], lease);
    await store.settle(event, A_DONE, lease);

    expect(client.statements).toHaveLength(2);
  });
});

describe("payloads: 'drop-when-done' in SQLite", () => {
  describeDrops(openSqliteInbox);
  describeWork(openSqliteInbox);

  it('a process that dies after its transaction leaves the payload to another', async () => {
    const { inbox, dump, reopen } = await openSqliteInbox(DROPS);
    const [event, lease] = [anEvent({ payload: Buffer.from(MARKER) }), aLease()];
    await inbox.claim(event, ['A.run'], lease);
    await inbox.transaction?.(event, 'A.run', lease, async () => {});
    await inbox.close();
    expect(await dump()).toContain(MARKER);

    await reopen().claim(anEvent(), ['A.run'], aLease());

    expect(await dump()).not.toContain(MARKER);
  });
});

await describeWithService('redis', "payloads: 'drop-when-done' in Redis", () => {
  describeDrops(openRedis);

  it('nothing is left when the command line dismisses the last run, which does not know the option', async () => {
    const { inbox, dump, reopen } = await openRedis(DROPS);
    const [event, lease] = [anEvent({ payload: Buffer.from(MARKER) }), aLease()];
    await inbox.claim(event, ['A.run'], lease);
    await inbox.settle(event, [{ handlerId: 'A.run', state: 'dead' }], lease);
    expect(await dump()).toContain(MARKER);

    await reopen({}).dismiss(event);

    expect(await dump()).not.toContain(MARKER);
  });

  it.each(ADAPTERS)('nothing is left in the inbox and the jobs of BullMQ, on %s', async (_name, adapter) => {
    const opened = await openBullMq(DROPS);
    const { scalekit, own } = await start(adapter, opened);

    expect((await scalekit.deliver(aUser())).status).toBe(202);

    await until(opened.dump, (dump) => !dump.includes(MARKER));
    expect((await own.stats()).map(({ state }) => state)).toEqual(['done', 'done']);
  });
});
