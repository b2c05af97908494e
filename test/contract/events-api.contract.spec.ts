import { create, fromBinary, toBinary, toJson } from '@bufbuild/protobuf';
import { describe, expect, it } from '@jest/globals';
import {
  InvalidEventError,
  OnScalekitEvent,
  SCALEKIT_EVENT_TYPES,
  type ScalekitEvent,
  ScalekitEventDispatcher,
  ScalekitWebhooksModule,
  toWebhookEvent,
} from 'nestjs-scalekit-webhooks';
import { createScalekitEvent, ScalekitWebhookTester } from 'nestjs-scalekit-webhooks/testing';
import { runOnExpress } from '../helpers/running-app.js';
import { apiEventOf, ObjectType, ScalekitEventSchema } from '../helpers/scalekit-api.js';
import { SECRET } from '../helpers/secrets.js';

class Everything {
  readonly received: ScalekitEvent[] = [];

  @OnScalekitEvent('*')
  handle(event: ScalekitEvent) {
    this.received.push(event);
  }
}

async function startEndpoint() {
  const app = await runOnExpress({
    imports: [ScalekitWebhooksModule.forRoot({ signingSecret: SECRET })],
    providers: [Everything],
  });
  return {
    scalekit: new ScalekitWebhookTester(app),
    dispatcher: app.get(ScalekitEventDispatcher, { strict: false }),
    received: app.get(Everything).received,
  };
}

/** The class of an event, and everything in it. */
function contentOf(event: ScalekitEvent | undefined): unknown {
  return {
    dto: event?.constructor.name,
    data: event?.data.constructor.name,
    fields: JSON.parse(JSON.stringify({ ...event, occurred_at: Date.parse(event?.occurred_at ?? '') })),
  };
}

/** The message as the SDK gets it over the network. */
function received(event: object) {
  return fromBinary(ScalekitEventSchema, toBinary(ScalekitEventSchema, apiEventOf(event)));
}

describe('The same event by webhook and by the Events API', () => {
  it('reaches a handler as the same DTO, whatever its type and its form', async () => {
    const { scalekit, dispatcher, received: handled } = await startEndpoint();
    for (const type of SCALEKIT_EVENT_TYPES) {
      const named = (way: string) => createScalekitEvent(type, { id: `evt_${way} ${type}` }, { seed: 1 });
      const message = received(named('sdk'));

      await scalekit.deliver(named('webhook'));
      await dispatcher.dispatch(message);
      await dispatcher.dispatch({ ...Object(toJson(ScalekitEventSchema, message)), id: `evt_json ${type}` });
      await dispatcher.dispatch({ ...named('payload') });

      const [byWebhook, ...others] = handled.splice(0).map((event) => {
        const { id, ...rest } = event;
        return {
          way: id.split(' ')[0],
          content: contentOf(Object.setPrototypeOf(rest, Object.getPrototypeOf(event))),
        };
      });
      const ways = others.map(({ way }) => way);
      expect({ type, ways }).toEqual({ type, ways: ['evt_sdk', 'evt_json', 'evt_payload'] });
      for (const { content } of others) expect(content).toEqual(byWebhook?.content);
    }
  }, 60_000);

  it('runs its handlers once, in whichever order it arrives', async () => {
    const { scalekit, dispatcher, received: handled } = await startEndpoint();
    const [first, second] = [createScalekitEvent('user.created'), createScalekitEvent('user.created')];

    await scalekit.deliver(first);
    expect(await dispatcher.dispatch(received(first))).toMatchObject({ outcome: 'duplicate' });
    await dispatcher.dispatch(received(second));
    expect((await scalekit.deliver(second)).body).toMatchObject({ status: 'duplicate' });

    expect(handled).toHaveLength(2);
  });
});

describe('toWebhookEvent', () => {
  it('knows the name of every kind of object that the SDK knows', () => {
    const numbers = Object.values(ObjectType).filter((value) => typeof value === 'number');
    for (const object of numbers) {
      const name = object === 0 ? undefined : ObjectType[object];
      expect(toWebhookEvent({ occurredAt: '', object }).object).toBe(name);
    }
    expect(numbers.length).toBeGreaterThan(40);
    expect(toWebhookEvent({ occurredAt: '', object: 999 })).not.toHaveProperty('object');
  });

  it.each([
    [0, '2026-01-02T03:04:05Z'],
    [120_000_000, '2026-01-02T03:04:05.120Z'],
    [678_901_000, '2026-01-02T03:04:05.678901Z'],
    [1, '2026-01-02T03:04:05.000000001Z'],
  ])('keeps the precision of a time with %d nanoseconds', (nanos, text) => {
    const seconds = BigInt(Date.UTC(2026, 0, 2, 3, 4, 5) / 1000);
    const event = create(ScalekitEventSchema, { occurredAt: { seconds, nanos } });

    expect(toWebhookEvent(event).occurred_at).toBe(text);
    expect(toWebhookEvent(Object(toJson(ScalekitEventSchema, event))).occurred_at).toBe(text);
  });

  it('leaves out what the message does not set', () => {
    const event = create(ScalekitEventSchema, { id: 'evt_1', occurredAt: { seconds: 0n, nanos: 0 } });

    expect(toWebhookEvent(event)).toEqual({ id: 'evt_1', occurred_at: '1970-01-01T00:00:00Z', data: {} });
  });

  it('does not change what it is given, and returns the payload of a webhook as it is', () => {
    const payload = createScalekitEvent('user.created');
    const message = Object.freeze(apiEventOf(payload));

    expect(toWebhookEvent(payload)).toBe(payload);
    expect(toWebhookEvent(message)).not.toBe(message);
  });
});

describe('dispatch', () => {
  it.each([
    ['without a time', { id: 'evt_1', type: 'user.created', occurredAt: undefined, data: { user: {} } }],
    ['with a time that is none', { id: 'evt_1', type: 'user.created', occurredAt: { seconds: 10n ** 20n } }],
    ['with a number that JSON does not have', { id: 'evt_1', occurredAt: '', data: { big: 1n } }],
  ])('refuses an event %s', async (_, event) => {
    const { dispatcher } = await startEndpoint();

    await expect(dispatcher.dispatch(event)).rejects.toThrow(InvalidEventError);
  });
});
