import { describe, expect, it } from '@jest/globals';
import { ExpressAdapter } from '@nestjs/platform-express';
import {
  type InboxKey,
  OnScalekitEvent,
  type ScalekitEvent,
  ScalekitInbox,
  ScalekitWebhooksModule,
} from 'nestjs-scalekit-webhooks';
import { createScalekitEvent, ScalekitWebhookTester } from 'nestjs-scalekit-webhooks/testing';
import { aLease, anEvent as recorded } from '../../conformance/inbox-store.harness.js';
import { type Deferred, deferred } from '../../helpers/deferred.js';
import {
  type DumpedInbox,
  openBullMq,
  openPostgres,
  openRedis,
  openSqliteInbox,
} from '../../helpers/dumped-inboxes.js';
import { PostgresFixture } from '../../helpers/postgres-fixture.js';
import { closeAfterTest } from '../../helpers/running-app.js';
import { describeWithService } from '../../helpers/services.js';
import { ADAPTERS, type AdapterFactory, SECRET, startApp } from '../../helpers/test-app.js';
import { until } from '../../helpers/until.js';

/** Fails with the email address of the user, when the test lets it. */
class Handlers {
  readonly waiting = new Map<string, Deferred<void>>();
  isFailing = true;

  @OnScalekitEvent('user.created')
  async handle(event: ScalekitEvent<'user.created'>): Promise<void> {
    const { external_id, email } = event.data.user ?? {};
    if (external_id === 'waits') {
      const gate = deferred();
      this.waiting.set(event.id, gate);
      await gate.promise;
    }
    if (external_id !== 'succeeds' && this.isFailing) throw new TypeError(`no account for ${email}`);
  }
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

const express = () => new ExpressAdapter();
const MARKER = 'jane.doe.marker@example.com';
const OTHER = 'john.roe.marker@example.com';

function anEvent(externalId: string, organizationId = 'org_1', email = MARKER) {
  return createScalekitEvent('user.created', {
    organization_id: organizationId,
    data: { user: { external_id: externalId, email } },
  });
}

function describeErasure(open: () => Promise<DumpedInbox>): void {
  describe('erasing an organization', () => {
    it.each(ADAPTERS)(
      'leaves none of its texts, while a delivery is in progress, on %s',
      async (_name, adapter) => {
        const opened = await open();
        const { handlers, scalekit, own } = await start(adapter, opened);
        const [done, failed, waits] = [anEvent('succeeds'), anEvent('fails'), anEvent('waits')];
        await scalekit.deliver(anEvent('fails', 'org_2', OTHER));
        expect((await scalekit.deliver(done)).status).toBe(201);
        expect((await scalekit.deliver(failed)).status).toBe(500);
        const delivery = scalekit.deliver(waits);
        await until(
          () => handlers.waiting.has(waits.id),
          (isWaiting) => isWaiting,
        );
        expect(await opened.dump()).toContain(MARKER);

        expect(await own.erase({ organizationId: 'org_1' })).toBe(3);
        handlers.waiting.get(waits.id)?.resolve();

        expect((await delivery).status).toBe(500);
        expect(await opened.dump()).not.toContain(MARKER);
        expect(await opened.dump()).toContain(OTHER);
      },
    );

    it.each(ADAPTERS)(
      'still recognizes duplicates, and lets a retry succeed, on %s',
      async (_name, adapter) => {
        const opened = await open();
        const { handlers, scalekit, own } = await start(adapter, opened);
        const [done, failed] = [anEvent('succeeds'), anEvent('fails')];
        for (const event of [done, failed]) await scalekit.deliver(event);
        await own.erase({ organizationId: 'org_1' });

        expect((await scalekit.deliver(done)).body).toEqual({ received: true, status: 'duplicate' });
        handlers.isFailing = false;
        expect((await scalekit.deliver(failed)).body).toEqual({ received: true, status: 'processed' });

        expect(await opened.dump()).not.toContain(MARKER);
      },
    );

    it('refuses a replay, and says that the payload was erased', async () => {
      const opened = await open();
      const { scalekit, own } = await start(express, opened);
      const event = anEvent('fails');
      await scalekit.deliver(event);
      await own.erase({ organizationId: 'org_1' });

      await expect(own.replay(event.id)).rejects.toMatchObject({
        code: 'payload_erased',
        message: expect.stringMatching(/was erased at \d{4}-/),
      });
      await expect(own.replay({ state: 'failed' })).rejects.toMatchObject({ code: 'payload_erased' });
    });
  });
}

await describeWithService('postgres', 'In Postgres,', () => describeErasure(openPostgres));
await describeWithService('postgres', 'Erasing in Postgres', () => {
  const postgres = PostgresFixture.use();
  const event = () => recorded({ organizationId: 'org_1' });
  const failure = {
    handlerId: 'A.run',
    state: 'failed',
    error: { name: 'TypeError', message: MARKER },
  } as const;
  const errorOf = async (key: InboxKey, handlerId = 'A.run') => {
    const entry = await postgres.store.get(key);
    return entry?.runs.find((run) => run.handlerId === handlerId)?.error;
  };
  const erased = { name: 'TypeError', message: '' };

  it('waits for a settlement that began before it, and erases its text', async () => {
    const [one, lease] = [event(), aLease()];
    await postgres.store.claim(one, ['A.run'], lease);
    const transaction = await postgres.begin();
    await transaction.query(`SELECT FROM "${postgres.schema}".inbox_runs FOR UPDATE`);
    const settling = postgres.store.settle(one, [failure], lease);
    await postgres.untilBlocked();

    const erasing = postgres.store.erase({ organizationId: 'org_1' });
    await until(
      () => postgres.store.get(one),
      (entry) => entry?.erasedAt !== undefined,
    );
    await postgres.commit(transaction);
    await settling;

    expect(await erasing).toBe(1);
    expect(await errorOf(one)).toEqual(erased);
  });

  it('locks entries in the order of their keys, as other statements do, so that none deadlock', async () => {
    const [first, second] = [event(), event()].sort((one, other) => (one.eventId < other.eventId ? -1 : 1));
    if (!first || !second) throw new Error('There are two events');
    for (const one of [second, first]) await postgres.store.claim(one, ['A.run'], aLease());
    const lock = (eventId: string) =>
      `SELECT FROM "${postgres.schema}".inbox_events WHERE event_id = '${eventId}' FOR UPDATE NOWAIT`;
    const transaction = await postgres.begin();
    await transaction.query(lock(first.eventId));

    const erasing = postgres.store.erase({ organizationId: 'org_1' });
    await postgres.untilBlocked();

    await postgres.pool.query(lock(second.eventId));
    await postgres.commit(transaction);
    expect(await erasing).toBe(2);
  });

  it('keeps away the text of a run whose claim it did not see', async () => {
    const [one, lease] = [event(), aLease()];
    await postgres.store.claim(one, ['A.run'], aLease());
    const transaction = await postgres.begin();
    await postgres.storeIn(transaction).claim(one, ['B.run'], lease);

    expect(await postgres.store.erase({ organizationId: 'org_1' })).toBe(1);
    await postgres.commit(transaction);
    await postgres.store.settle(one, [{ ...failure, handlerId: 'B.run' }], lease);

    expect(await errorOf(one, 'B.run')).toEqual(erased);
  });

  it('does not wait for transactions of other entries', async () => {
    const [one, other, lease] = [event(), recorded({ organizationId: 'org_2' }), aLease()];
    await postgres.store.claim(one, ['A.run'], aLease());
    await postgres.store.claim(other, ['A.run'], lease);
    const transaction = await postgres.begin();
    await postgres.storeIn(transaction).settle(other, [failure], lease);

    expect(await postgres.store.erase({ organizationId: 'org_1' })).toBe(1);
  });
});
await describeWithService('redis', 'In Redis,', () => describeErasure(openRedis));
describe('In SQLite,', () => describeErasure(openSqliteInbox));

await describeWithService('redis', 'Erasing an organization, with BullMQ', () => {
  it.each(ADAPTERS)('leaves none of its texts in the inbox and the jobs, on %s', async (_name, adapter) => {
    const opened = await openBullMq();
    const { scalekit, own } = await start(adapter, opened);
    const [done, failed] = [anEvent('succeeds'), anEvent('fails')];
    for (const event of [done, failed]) expect((await scalekit.deliver(event)).status).toBe(202);
    await until(
      () => own.count({ state: 'dead' }),
      (count) => count === 1,
    );
    expect(await opened.dump()).toContain(MARKER);

    expect(await own.erase({ organizationId: 'org_1' })).toBe(2);

    expect(await opened.dump()).not.toContain(MARKER);
  });
});

describe('ScalekitInbox.erase', () => {
  it.each([
    [{}, /found neither/],
    [{ organizationId: 'org_1', entity: 'user:usr_1' }, /found both/],
    [{ organizationId: '' }, /organizationId/],
    [{ user: 'usr_1' }, /user/],
  ])('refuses %j', async (target, message) => {
    const { own } = await start(express, await openSqliteInbox());

    await expect(own.erase(target as never)).rejects.toThrow(message);
  });

  it('refuses an inbox that cannot erase', async () => {
    const opened = await openSqliteInbox();
    const inbox = Object.assign(opened.inbox, { erase: undefined });
    const { own } = await start(express, { ...opened, inbox });

    await expect(own.erase({ organizationId: 'org_1' })).rejects.toMatchObject({ setting: 'inbox' });
  });

  it('erases only entries of its own endpoint', async () => {
    const opened = await openSqliteInbox();
    const { own, scalekit } = await start(express, opened);
    await scalekit.deliver(anEvent('succeeds'));
    const { data: _, ...event } = anEvent('succeeds');
    const key = { endpoint: 'other', eventId: event.id };
    const recorded = { ...key, type: event.type, occurredAt: event.occurred_at, organizationId: 'org_1' };
    await opened.inbox.claim({ ...recorded, payload: Buffer.from('{}') }, [], { token: 't', durationMs: 1 });

    expect(await own.erase({ organizationId: 'org_1' })).toBe(1);
    expect(await opened.inbox.get(key)).not.toHaveProperty('erasedAt');
  });
});
