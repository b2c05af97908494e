import { inspect } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  type InboxEvent,
  PayloadUnreadableError,
  RedactionFailedError,
  type ScalekitEvent,
  ScalekitWebhooksConfigurationError,
} from 'nestjs-scalekit-webhooks';
import { SqliteInboxStore } from 'nestjs-scalekit-webhooks/sqlite';
import { createScalekitEvent } from 'nestjs-scalekit-webhooks/testing';
import type { PayloadOptions } from '../../../lib/inbox/inbox-options.js';
import { PayloadProtection } from '../../../lib/inbox/payload-protection.js';

const secretOf = (byte: number) => Buffer.alloc(32, byte).toString('base64');
const OLD = { id: '2025', secret: secretOf(1) };
const NEW = { id: '2026', secret: secretOf(2) };
const ENCRYPTED: PayloadOptions = { encryption: { keys: [NEW, OLD] } };

function anEvent(changes: Partial<InboxEvent> = {}): InboxEvent {
  const payload = Buffer.from('{"id":"evt_1"}');
  return {
    endpoint: 'default',
    eventId: 'evt_1',
    type: 'user.created',
    occurredAt: '2026-01-02T03:04:05Z',
    payload,
    ...changes,
  };
}

function storedBy(options: PayloadOptions, event: InboxEvent, application = 'billing') {
  return new PayloadProtection(options, application).toStored(event);
}

function dueRun(event: ReturnType<typeof storedBy>) {
  return { ...event, handlerId: 'A.run', receivedAt: new Date(0), attempt: 1, workerAttempt: 1 };
}

describe('an encrypted payload', () => {
  const sealed = fc.record({
    payload: fc.uint8Array({ maxLength: 300 }),
    endpoint: fc.string({ unit: 'binary' }),
    eventId: fc.string({ unit: 'binary' }),
  });

  it('opens to the same bytes, whatever they are', () => {
    const protection = new PayloadProtection(ENCRYPTED, 'billing');
    fc.assert(
      fc.property(sealed, ({ payload, ...key }) => {
        const stored = protection.toStored(anEvent({ ...key, payload }));

        expect(Buffer.from(protection.open(key, stored.payload))).toEqual(Buffer.from(payload));
      }),
    );
  });

  it('does not open once any of its bits has changed', () => {
    const protection = new PayloadProtection(ENCRYPTED, 'billing');
    fc.assert(
      fc.property(sealed, fc.nat(), ({ payload, ...key }, position) => {
        const stored = Buffer.from(protection.toStored(anEvent({ ...key, payload })).payload);
        // Without the first byte, it is a plain text.
        const bit = 8 + (position % (stored.length * 8 - 8));
        stored.writeUInt8(stored.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);

        expect(() => protection.open(key, stored)).toThrow(PayloadUnreadableError);
      }),
    );
  });

  it('does not open if it is cut', () => {
    const protection = new PayloadProtection(ENCRYPTED, 'billing');
    const { payload } = protection.toStored(anEvent());
    for (let length = 1; length < payload.length; length += 1) {
      expect(() => protection.open(anEvent(), payload.subarray(0, length))).toThrow(PayloadUnreadableError);
    }
  });

  it('begins with 1, its key id, and differs each time', () => {
    const [one, other] = [storedBy(ENCRYPTED, anEvent()).payload, storedBy(ENCRYPTED, anEvent()).payload];

    expect(Buffer.from(one).subarray(0, 6)).toEqual(Buffer.from('\u0001\u00042026'));
    expect(Buffer.from(one).equals(Buffer.from(other))).toBe(false);
  });

  it.each([
    ['event', { eventId: 'evt_2' }, 'billing'],
    ['endpoint', { endpoint: 'other' }, 'billing'],
    ['application', {}, 'shipping'],
  ])('does not open for another %s', (_name, changes, application) => {
    const { payload } = storedBy(ENCRYPTED, anEvent());
    const other = new PayloadProtection(ENCRYPTED, application);

    expect(() => other.open(anEvent(changes), payload)).toThrow(PayloadUnreadableError);
  });

  it('does not open as a delivery, nor a delivery as a payload', () => {
    const stored = storedBy(ENCRYPTED, anEvent({ delivery: { id: 'msg_1', headers: {} } }));
    const sealed = Buffer.from(stored.payload).toString('base64');
    const opened = new PayloadProtection(ENCRYPTED, 'billing').openDue({
      runs: [dueRun({ ...stored, delivery: { sealed } })],
      isPaused: false,
    });

    expect(opened.runs[0]?.unreadable).toBeInstanceOf(PayloadUnreadableError);
  });

  it('opens with an old key, but is encrypted with the first', () => {
    const { payload } = storedBy({ encryption: { keys: [OLD] } }, anEvent());
    const rotated = new PayloadProtection(ENCRYPTED, 'billing');

    expect(String(rotated.open(anEvent(), payload))).toBe('{"id":"evt_1"}');
    expect(String(rotated.toStored(anEvent()).payload)).toContain('2026');
  });

  it('can still be read after encryption was switched off, as long as there is the key', () => {
    const { payload } = storedBy(ENCRYPTED, anEvent());
    const off = new PayloadProtection({ ...ENCRYPTED, payloads: 'keep' }, 'billing');

    expect(String(off.open(anEvent(), payload))).toBe('{"id":"evt_1"}');
    expect(String(off.toStored(anEvent()).payload)).toBe('{"id":"evt_1"}');
  });

  it('names the key that is missing, and what to do', () => {
    const { payload } = storedBy({ encryption: { keys: [OLD] } }, anEvent());
    const open = () =>
      new PayloadProtection({ encryption: { keys: [NEW] } }, 'billing').open(anEvent(), payload);

    expect(open).toThrow(
      expect.objectContaining({
        code: 'payload_unreadable',
        keyId: '2025',
        eventId: 'evt_1',
        message: expect.stringMatching(/"2025".*Add the key to the option encryption/),
      }),
    );
  });

  it('does not open with another secret under the same id', () => {
    const { payload } = storedBy({ encryption: { keys: [OLD] } }, anEvent());
    const open = () =>
      new PayloadProtection({ encryption: { keys: [{ id: '2025', secret: secretOf(9) }] } }, 'billing').open(
        anEvent(),
        payload,
      );

    expect(open).toThrow(/"2025".*this id belonged to another secret/);
  });
});

describe('a plain payload', () => {
  it('can be read after encryption was switched on', () => {
    const { payload } = storedBy({}, anEvent());

    expect(new PayloadProtection(ENCRYPTED, 'billing').open(anEvent(), payload)).toBe(payload);
  });

  it('is stored exactly as it was received', () => {
    const payload = Buffer.from('{ "id" : "evt_1", "n": 1.0, "name": "\\u00e9" }');

    expect(storedBy({}, anEvent({ payload })).payload).toBe(payload);
  });

  it.each([
    ['as it is documented', '{"data":{"txt_record_secret":"s3cret","domain":"a.example"}}'],
    ['anywhere else', '{"data":{"domain":"a.example","deep":[{"txt_record_secret":{"x":"s3cret"}}]}}'],
    ['with escapes', '{"data":{"domain":"a.example","txt_record\\u005fsecret":"s3cret"}}'],
    ['after a byte order mark', '\ufeff{"data":{"domain":"a.example","txt_record_secret":"s3cret"}}'],
  ])('has no secret of a TXT record: %s', (_name, text) => {
    const stored = String(storedBy({}, anEvent({ payload: Buffer.from(text) })).payload);

    expect(stored).toContain('a.example');
    expect(stored).not.toMatch(/s3cret|txt_record/);
  });

  it('keeps the secret of a TXT record if it is encrypted', () => {
    const payload = Buffer.from('{"data":{"txt_record_secret":"s3cret"}}');
    const stored = storedBy(ENCRYPTED, anEvent({ payload }));

    expect(String(new PayloadProtection(ENCRYPTED, 'billing').open(anEvent(), stored.payload))).toBe(
      String(payload),
    );
  });

  it('of very deep JSON does not overflow the stack', () => {
    const payload = Buffer.from(`{"\\u0061":${'['.repeat(50_000)}${']'.repeat(50_000)}}`);

    expect(storedBy({}, anEvent({ payload })).payload).toBe(payload);
  });
});

describe('the delivery', () => {
  const delivery = { id: 'msg_1', headers: { 'x-user': 'ada@example.com' }, carried: { trace: '1' } };

  it('is encrypted too, and opens for the worker', () => {
    const stored = storedBy(ENCRYPTED, anEvent({ delivery }));
    const opened = new PayloadProtection(ENCRYPTED, 'billing').openDue({
      runs: [dueRun(stored)],
      isPaused: false,
    });

    expect(JSON.stringify(stored.delivery)).not.toMatch(/ada|msg_1|trace/);
    expect(opened.runs[0]).toMatchObject({ delivery, payload: anEvent().payload });
  });
});

describe('runs that a worker took', () => {
  it('are read one by one: one that cannot be read says so, and the others have their payload', () => {
    const stored = storedBy(ENCRYPTED, anEvent());
    const broken = storedBy({ encryption: { keys: [{ id: 'lost', secret: secretOf(3) }] } }, anEvent());
    const { runs } = new PayloadProtection(ENCRYPTED, 'billing').openDue({
      runs: [dueRun(stored), dueRun(broken), dueRun(stored)],
      isPaused: false,
    });

    expect(runs.map(({ payload, unreadable }) => [payload && String(payload), unreadable?.keyId])).toEqual([
      ['{"id":"evt_1"}', undefined],
      [undefined, 'lost'],
      ['{"id":"evt_1"}', undefined],
    ]);
  });
});

describe('redact', () => {
  const event = createScalekitEvent('user.created', { data: { user: { email: 'ada@example.com' } } });
  const received = anEvent({ eventId: event.id, payload: Buffer.from(JSON.stringify(event)) });
  const redactWith = (redact: unknown) => storedBy({ redact: redact as PayloadOptions['redact'] }, received);

  it('decides what is stored, and may change the event that it gets', () => {
    const stored = redactWith((given: ScalekitEvent<'user.created'>) => {
      Reflect.deleteProperty(Object(given.data.user), 'email');
      return given;
    });

    expect(String(stored.payload)).not.toContain('ada@');
    expect(JSON.parse(String(stored.payload))).toMatchObject({ id: event.id, type: 'user.created' });
    expect(String(received.payload)).toContain('ada@');
  });

  it('comes before encryption', () => {
    const options: PayloadOptions = {
      ...ENCRYPTED,
      redact: (given) => ({ ...given, data: { ...given.data, user: { id: event.data.user?.id } } }),
    };
    const { payload } = storedBy(options, received);
    const opened = String(new PayloadProtection(ENCRYPTED, 'billing').open(received, payload));

    expect(opened).toContain(event.id);
    expect(opened).not.toContain('ada@');
  });

  it('is not asked again about a payload that was read from the inbox', () => {
    const stored = storedBy(
      {
        redact: () => {
          throw new Error('it was asked');
        },
      },
      { ...received, isStored: true },
    );

    expect(stored.payload).toBe(received.payload);
  });

  it.each<[string, unknown, RegExp]>([
    [
      'throws',
      () => {
        throw new TypeError('ada@example.com is odd');
      },
      /it threw a TypeError at .*payload-protection\.spec/,
    ],
    [
      'throws no error',
      () => {
        throw 'ada@example.com';
      },
      /not an Error/,
    ],
    ['returns a promise', async (given: object) => given, /returned no event/],
    ['returns nothing', () => undefined, /returned no event/],
    [
      'changes the id',
      (given: object) => ({ ...given, id: 'evt_other' }),
      /changed the type, the time or an id/,
    ],
    ['changes the type', (given: object) => ({ ...given, type: 'user.deleted' }), /changed/],
    ['changes the time', (given: object) => ({ ...given, occurred_at: '2020-01-01T00:00:00Z' }), /changed/],
    ['changes the organization', (given: object) => ({ ...given, organization_id: 'org_other' }), /changed/],
    ['removes what the event is about', (given: object) => ({ ...given, data: {} }), /changed/],
    ['returns what JSON cannot express', (given: object) => ({ ...given, n: 1n }), /it threw a TypeError/],
  ])('that %s stores nothing, and the error quotes nothing', (_name, redact, reason) => {
    const attempt = () => redactWith(redact);

    expect(attempt).toThrow(RedactionFailedError);
    expect(attempt).toThrow(reason);
    try {
      attempt();
    } catch (error) {
      expect(inspect(error)).not.toContain('ada@example.com');
    }
  });
});

describe('the options about payloads', () => {
  const database = { exec() {}, prepare() {} };
  const SECRET = Buffer.from('thirty-two bytes that are secret').toString('base64');
  const refusalOf = (options: object): ScalekitWebhooksConfigurationError => {
    try {
      Reflect.construct(SqliteInboxStore, [{ database, ...options }]);
    } catch (error) {
      if (error instanceof ScalekitWebhooksConfigurationError) return error;
    }
    throw new Error('it was not refused');
  };

  it.each<[string, object, string, RegExp]>([
    ['no keys', { payloads: 'encrypt' }, 'payloads', /Set encryption: .* or payloads: 'keep'/],
    ['an empty list', { encryption: { keys: [] } }, 'encryption.keys', /at least one key/],
    [
      'a secret instead of keys',
      { encryption: { keys: SECRET } },
      'encryption.keys',
      /a string of 44 characters/,
    ],
    ['a secret instead of the option', { encryption: SECRET }, 'encryption', /must be an object/],
    ['secrets without ids', { encryption: { keys: [SECRET] } }, 'encryption.keys[0]', /\{ id, secret \}/],
    [
      'a secret as the id',
      { encryption: { keys: [{ id: SECRET, secret: SECRET }] } },
      'encryption.keys[0].id',
      /1 to 64/,
    ],
    [
      'a secret as the name of an option',
      { encryption: { keys: [{ [SECRET]: '2026-01' }] } },
      'encryption.keys[0].…',
      /The options are id, secret/,
    ],
    [
      'a long id',
      { encryption: { keys: [{ id: 'x'.repeat(65), secret: SECRET }] } },
      'encryption.keys[0].id',
      /1 to 64/,
    ],
    [
      'a short secret',
      { encryption: { keys: [{ id: 'a', secret: SECRET.slice(4) }] } },
      'encryption.keys[0].secret',
      /openssl rand -base64 32/,
    ],
    [
      'another encoding',
      { encryption: { keys: [{ id: 'a', secret: Buffer.from(SECRET, 'base64').toString('hex') }] } },
      'encryption.keys[0].secret',
      /64 characters/,
    ],
    [
      'a secret with a line break',
      { encryption: { keys: [{ id: 'a', secret: `${SECRET}\n` }] } },
      'encryption.keys[0].secret',
      /45 characters/,
    ],
    ['no secret', { encryption: { keys: [{ id: 'a' }] } }, 'encryption.keys[0].secret', /found undefined/],
    [
      'the same id twice',
      {
        encryption: {
          keys: [
            { id: 'a', secret: SECRET },
            { id: 'a', secret: secretOf(1) },
          ],
        },
      },
      'encryption.keys[1].id',
      /"a".*its own id/,
    ],
  ])('refuse %s, and the error does not show it', (_name, options, setting, message) => {
    const error = refusalOf(options);

    expect(error).toMatchObject({ setting, message: expect.stringMatching(message) });
    expect(inspect(error)).not.toContain(SECRET.slice(0, 20));
    expect(inspect(error)).not.toContain(Buffer.from(SECRET, 'base64').toString('hex').slice(0, 20));
  });
});
