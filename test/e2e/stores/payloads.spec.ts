import { expect, describe as group, it, jest } from '@jest/globals';
import type { INestApplication } from '@nestjs/common';
import { ExpressAdapter } from '@nestjs/platform-express';
import {
  type InboxStore,
  InboxTransport,
  isKnownScalekitEvent,
  OnScalekitEvent,
  type ScalekitEvent,
  ScalekitInbox,
  ScalekitWebhooksModule,
  type ScalekitWebhooksOptions,
} from 'nestjs-scalekit-webhooks';
import { createScalekitEvent, ScalekitWebhookTester } from 'nestjs-scalekit-webhooks/testing';
import type { PayloadOptions } from '../../../lib/inbox/inbox-options.js';
import { isEncryptionStore } from '../../../lib/inbox/inbox-work.js';
import { aLease } from '../../conformance/inbox-store.harness.js';
import { CapturedLogger } from '../../helpers/captured-logger.js';
import { openBullMq } from '../../helpers/dumped-inboxes.js';
import { PAYLOAD_DATABASES } from '../../helpers/payload-stores.js';
import { closeAfterTest } from '../../helpers/running-app.js';
import { describeWithService } from '../../helpers/services.js';
import { ADAPTERS, type AdapterFactory, SECRET, startApp } from '../../helpers/test-app.js';
import { until } from '../../helpers/until.js';

const keyOf = (id: string, byte: number) => ({ id, secret: Buffer.alloc(32, byte).toString('base64') });
const [OLD, NEW] = [keyOf('2025', 1), keyOf('2026', 2)];
const ENCRYPTED: PayloadOptions = { payloads: 'encrypt', encryption: { keys: [NEW, OLD] } };
const FAST = { pollIntervalMs: 20, backoff: 1, attempts: 1000 };
/** What a proxy may add to a delivery. */
const HEADERS = { 'x-forwarded-user': 'grace@example.com' };

class Handlers {
  readonly events: ScalekitEvent[] = [];

  @OnScalekitEvent('*')
  keep(event: ScalekitEvent): void {
    this.events.push(event);
  }
}

interface Bench {
  readonly app: INestApplication;
  readonly scalekit: ScalekitWebhookTester;
  readonly handlers: Handlers;
  readonly inbox: ScalekitInbox;
  readonly logger: CapturedLogger;
}

async function start(
  adapter: AdapterFactory,
  inbox: InboxStore,
  options: ScalekitWebhooksOptions = {},
): Promise<Bench> {
  const logger = new CapturedLogger();
  const imports = [ScalekitWebhooksModule.forRoot({ signingSecret: SECRET, inbox, ...options })];
  const app = await startApp(adapter, { imports, providers: [Handlers] }, undefined, { logger });
  closeAfterTest(app);
  return {
    app,
    scalekit: new ScalekitWebhookTester(app),
    handlers: app.get(Handlers),
    inbox: app.get(ScalekitInbox, { strict: false }),
    logger,
  };
}

function aUser() {
  return createScalekitEvent('user.created', {
    data: {
      user: {
        email: 'ada@example.com',
        first_name: 'Adaline-Ünal',
        last_name: 'Lovelace',
        metadata: { shoe_size: 'forty-one-and-a-half' },
      },
    },
  });
}

function aDomain() {
  return createScalekitEvent('organization.domain_created', {
    data: { domain: 'tenant.example', txt_record_secret: 's3cret-of-the-dns' },
  });
}

/** The texts of an event's data that are not ids or times, as they are and as JSON. */
function personalTextsOf(value: unknown): string[] {
  if (typeof value === 'string') return value.length > 4 ? [value, JSON.stringify(value).slice(1, -1)] : [];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value)
    .filter(([name]) => !/(^|_)(id|time|at)$/.test(name))
    .flatMap(([, member]) => personalTextsOf(member));
}

function foundIn(dump: string, texts: readonly string[]): string[] {
  return texts.filter((text) => {
    const forms = [
      text,
      Buffer.from(text).toString('latin1'),
      Buffer.from(text).toString('base64').slice(0, -4),
    ];
    return forms.some((form) => form.length > 3 && dump.includes(form));
  });
}

await describeWithService('postgres', 'the payloads that a store keeps', () => {
  group.each(PAYLOAD_DATABASES)('in %s', (name, openDatabase) => {
    const isWork = name !== 'Redis';
    const transports: [string, () => ScalekitWebhooksOptions][] = [
      ['in the request', () => ({})],
      ['in the background', () => ({ transport: new InboxTransport(FAST) })],
    ];

    group.each(ADAPTERS)('on %s', (_adapter, adapter) => {
      it.each(isWork ? transports : transports.slice(0, 1))(
        'hold no text of the event anywhere, if they are encrypted and handled %s',
        async (_where, options) => {
          const database = await openDatabase();
          const bench = await start(adapter, database.open(ENCRYPTED), options());
          const events = [aUser(), aDomain(), aUser()];
          for (const event of events) await bench.scalekit.deliver(event, { headers: HEADERS });
          await until(
            () => bench.handlers.events.length,
            (count) => count === 3,
          );

          const dump = await database.dump();

          const texts = [...events.flatMap(({ data }) => personalTextsOf(data)), ...Object.values(HEADERS)];
          expect(texts.length).toBeGreaterThan(20);
          expect(foundIn(dump, texts)).toEqual([]);
          expect(
            foundIn(
              dump,
              events.map(({ id }) => id),
            ),
          ).toHaveLength(3);
          expect(bench.handlers.events).toMatchObject(events);
        },
      );

      it('can be replayed after they were encrypted', async () => {
        const database = await openDatabase();
        const bench = await start(adapter, database.open(ENCRYPTED));
        const event = aUser();
        await bench.scalekit.deliver(event);

        await bench.inbox.replay(event.id, { handlers: ['Handlers.keep'] });

        expect(bench.handlers.events).toMatchObject([event, event]);
      });

      it('hold no secret of a TXT record, even if they are plain; handlers in the request see it', async () => {
        const database = await openDatabase();
        const bench = await start(adapter, database.open());
        const event = aDomain();
        await bench.scalekit.deliver(event);
        await bench.inbox.replay(event.id, { handlers: ['Handlers.keep'] });

        const dump = await database.dump();

        expect(foundIn(dump, ['s3cret-of-the-dns'])).toEqual([]);
        expect(foundIn(dump, ['tenant.example'])).toHaveLength(1);
        const secrets = bench.handlers.events.map(({ data }) => Reflect.get(data, 'txt_record_secret'));
        expect(secrets).toEqual(['s3cret-of-the-dns', undefined]);
      });

      it('are redacted: handlers in the request get the whole event, and replays what was stored', async () => {
        const database = await openDatabase();
        const asked: string[] = [];
        const redact: PayloadOptions['redact'] = (given) => {
          asked.push(given.id);
          if (!isKnownScalekitEvent(given) || given.type !== 'user.created') return given;
          return { ...given, data: { ...given.data, user: { id: given.data.user?.id } } };
        };
        const bench = await start(adapter, database.open({ redact }));
        const event = aUser();
        await bench.scalekit.deliver(event);
        await bench.inbox.replay(event.id, { handlers: ['Handlers.keep'] });

        expect(foundIn(await database.dump(), personalTextsOf(event.data.user))).toEqual([]);
        expect(bench.handlers.events[0]).toMatchObject(event);
        expect(bench.handlers.events[1]?.data).toMatchObject({ user: { id: event.data.user?.id } });
        expect(JSON.stringify(bench.handlers.events[1])).not.toContain('ada@example.com');
        expect(asked).toEqual([event.id]);
      });

      it('are not stored if redact fails: 503, a line without the event, and other events are not affected', async () => {
        const database = await openDatabase();
        const event = aUser();
        const redact: PayloadOptions['redact'] = (given) => {
          if (given.id === event.id) throw new TypeError(`cannot redact ${JSON.stringify(given)}`);
          return given;
        };
        const bench = await start(adapter, database.open({ redact }));
        const startedAt = performance.now();
        for (let attempt = 0; attempt < 8; attempt += 1) {
          expect((await bench.scalekit.deliver(event)).status).toBe(503);
        }

        expect((await bench.scalekit.deliver(aUser())).status).toBe(201);
        // None of the deliveries has waited for a repetition.
        expect(performance.now() - startedAt).toBeLessThan(4000);
        expect(await bench.inbox.get(event.id)).toBeUndefined();
        const lines = bench.logger.oursInFull('error');
        expect(lines.join()).toMatch(
          /RedactionFailedError: The option redact of the inbox failed for evt_\w+: it threw a TypeError at/,
        );
        expect(foundIn(lines.join(), personalTextsOf(event.data))).toEqual([]);
      }, 20_000);
    });

    const adapter = () => new ExpressAdapter();

    it('do not open if they were copied to another event', async () => {
      const database = await openDatabase();
      const store = database.open(ENCRYPTED);
      const bench = await start(adapter, store);
      const [one, other] = [aUser(), aUser()];
      for (const event of [one, other]) await bench.scalekit.deliver(event);
      await database.copy(one.id, other.id);

      await expect(bench.inbox.replay(other.id, { handlers: ['Handlers.keep'] })).rejects.toMatchObject({
        name: 'InboxReplayError',
        code: 'payload_unreadable',
        message: expect.stringContaining('copied from another event'),
        cause: { code: 'payload_unreadable', keyId: '2026' },
      });
      expect((await bench.inbox.replay(one.id)).outcome).toBe('duplicate');
    });

    it('are unreadable too if the store is of another copy of this library', async () => {
      const store = (await openDatabase()).open(ENCRYPTED);
      const bench = await start(adapter, store);
      const event = aUser();
      await bench.scalekit.deliver(event);
      const failure = Object.assign(new Error('no key'), { code: 'payload_unreadable' });
      jest.spyOn(store, 'payload').mockRejectedValue(failure);

      await expect(bench.inbox.replay(event.id)).rejects.toMatchObject({
        name: 'InboxReplayError',
        code: 'payload_unreadable',
      });
    });

    it('whose key is missing are counted in a replay by filter', async () => {
      const database = await openDatabase();
      const before = await start(adapter, database.open({ encryption: { keys: [OLD] } }));
      await before.scalekit.deliver(aUser());
      const bench = await start(adapter, database.open({ encryption: { keys: [NEW] } }));
      await bench.scalekit.deliver(aUser());

      expect(await bench.inbox.replay({})).toEqual({ payload_unreadable: 1, duplicate: 1 });
    });

    it('can be encrypted with another key while deliveries run', async () => {
      const database = await openDatabase();
      const old = await start(adapter, database.open({ encryption: { keys: [OLD] } }));
      const events = Array.from({ length: 40 }, aUser);
      for (const event of events.slice(0, 20)) await old.scalekit.deliver(event);
      const store = database.open(ENCRYPTED);
      const bench = await start(adapter, store);
      const delivering = Promise.all(events.map((event) => bench.scalekit.deliver(event)));
      if (!isEncryptionStore(store)) throw new Error('it cannot encrypt');
      for (let cursor: string | undefined, isFirst = true; isFirst || cursor !== undefined; isFirst = false) {
        const page = await store.reencrypt({ limit: 3, ...(cursor !== undefined && { cursor }) });
        expect(page.unreadable).toEqual([]);
        cursor = page.nextCursor;
      }
      const statuses = (await delivering).map(({ status }) => status);

      expect(new Set(statuses)).toEqual(new Set([200, 201]));
      const rotated = database.open({ encryption: { keys: [NEW] } });
      for (const event of events) {
        const payload = await rotated.payload({ endpoint: 'default', eventId: event.id });
        expect(JSON.parse(String(payload && Buffer.from(payload)))).toEqual(event);
      }
      expect([...old.handlers.events, ...bench.handlers.events].map(({ id }) => id).sort()).toEqual(
        events.map(({ id }) => id).sort(),
      );
    });

    it('are redacted and encrypted again, if they are stored again after they were dropped', async () => {
      const database = await openDatabase();
      const redact: PayloadOptions['redact'] = (given) => ({ ...given, data: { user: { id: 'usr_1' } } });
      const encryption = { keys: [NEW] };
      const store = database.open({ payloads: 'drop-when-done', encryption, redact });
      const event = createScalekitEvent('user.created', {
        data: { user: { id: 'usr_1', email: 'ada@example.com' }, organization: undefined },
      });
      const { id: eventId, type, occurred_at: occurredAt } = event;
      const recorded = { endpoint: 'default', eventId, type, occurredAt };
      const received = { ...recorded, payload: Buffer.from(JSON.stringify(event)) };
      const lease = aLease();
      await store.claim(received, ['A.run'], lease);
      await store.settle(received, [{ handlerId: 'A.run', state: 'done' }], lease);
      expect(await store.payload(received)).toBeUndefined();

      await store.claim(received, ['A.run', 'B.run'], aLease());

      expect(foundIn(await database.dump(), ['ada@example.com', 'usr_1'])).toEqual([]);
      const payload = await store.payload(received);
      expect(JSON.parse(String(payload && Buffer.from(payload))).data).toEqual({ user: { id: 'usr_1' } });
    });

    if (!isWork) return;

    it('that cannot be opened fail their runs alone, until their key is back', async () => {
      const database = await openDatabase();
      const fill = (keys: readonly (typeof OLD)[]) =>
        start(adapter, database.open({ encryption: { keys } }), {
          transport: new InboxTransport({ worker: false }),
        });
      const [lost, others] = [aUser(), [aUser(), aUser()]];
      const [ofOld, ofNew] = [await fill([OLD]), await fill([NEW])];
      await ofNew.scalekit.deliver(others[0] ?? {});
      await ofOld.scalekit.deliver(lost);
      await ofNew.scalekit.deliver(others[1] ?? {});
      const options = { transport: new InboxTransport(FAST) };

      const worker = await start(adapter, database.open({ encryption: { keys: [NEW] } }), options);
      const entry = await until(
        () => worker.inbox.get(lost.id),
        (found) => found?.runs[0]?.state === 'failed',
      );
      await until(
        () => worker.handlers.events.length,
        (count) => count === 2,
      );

      expect(entry?.runs).toMatchObject([{ state: 'failed', error: { name: 'PayloadUnreadableError' } }]);
      expect(entry?.runs[0]?.error?.message).toContain('Add the key to the option encryption');
      expect(worker.handlers.events.map(({ id }) => id).sort()).toEqual(others.map(({ id }) => id).sort());
      await until(
        () => worker.inbox.count({ state: 'done' }),
        (count) => count === 2,
      );
      await worker.app.close();
      const fixed = await start(adapter, database.open(ENCRYPTED), { transport: new InboxTransport(FAST) });
      await until(
        () => fixed.handlers.events.length,
        (count) => count === 1,
      );
      expect(fixed.handlers.events).toMatchObject([lost]);
    });

    it('are what workers get: without secrets of TXT records, and redacted', async () => {
      const database = await openDatabase();
      const redact: PayloadOptions['redact'] = (given) =>
        isKnownScalekitEvent(given) && given.type === 'user.created'
          ? { ...given, data: { user: { id: given.data.user?.id }, organization: given.data.organization } }
          : given;
      const bench = await start(adapter, database.open({ redact }), { transport: new InboxTransport(FAST) });
      await bench.scalekit.deliver(aDomain());
      await bench.scalekit.deliver(aUser());
      await until(
        () => bench.handlers.events.length,
        (count) => count === 2,
      );

      expect(JSON.stringify(bench.handlers.events)).toContain('tenant.example');
      expect(JSON.stringify(bench.handlers.events)).not.toMatch(/s3cret|ada@example/);
    });
  });
});

await describeWithService('redis', 'the payloads of events that BullMQ handles', () => {
  group.each(ADAPTERS)('on %s', (_adapter, adapter) => {
    it.each([
      ['wait', { worker: false }, 0],
      ['are done', {}, 3],
    ])('are in no job and in no entry as plain text while their jobs %s', async (_when, options, handled) => {
      const { inbox, dump, transport } = await openBullMq(ENCRYPTED, options);
      const bench = await start(adapter, inbox, { ...(transport && { transport }) });
      const events = [aUser(), aDomain(), aUser()];
      for (const event of events) await bench.scalekit.deliver(event, { headers: HEADERS });
      await until(
        () => bench.handlers.events.length,
        (count) => count === handled,
      );

      const held = await dump();

      const texts = [...events.flatMap(({ data }) => personalTextsOf(data)), ...Object.values(HEADERS)];
      expect(foundIn(held, texts)).toEqual([]);
      expect(
        foundIn(
          held,
          events.map(({ id }) => id),
        ),
      ).toHaveLength(3);
    });

    it('are handled as they were stored, and are not redacted again', async () => {
      const asked: string[] = [];
      const redact: PayloadOptions['redact'] = (given) => {
        asked.push(given.id);
        if (!isKnownScalekitEvent(given) || given.type !== 'user.created') return given;
        return { ...given, data: { ...given.data, user: { id: given.data.user?.id } } };
      };
      const { inbox, dump, transport } = await openBullMq({ redact });
      const bench = await start(adapter, inbox, { ...(transport && { transport }) });
      const events = [aUser(), aDomain()];
      for (const event of events) await bench.scalekit.deliver(event);
      await until(
        () => bench.handlers.events.length,
        (count) => count === 2,
      );

      expect(JSON.stringify(bench.handlers.events)).toContain('tenant.example');
      for (const text of [JSON.stringify(bench.handlers.events), await dump()]) {
        expect(foundIn(text, ['ada@example.com', 's3cret-of-the-dns'])).toEqual([]);
      }
      expect(asked).toEqual(events.map(({ id }) => id));
    });
  });
});
