import { beforeEach, describe, expect, it } from '@jest/globals';
import {
  MemoryInboxStore,
  OnScalekitEvent,
  type ScalekitDelivery,
  type ScalekitEvent,
  ScalekitWebhooksModule,
} from 'nestjs-scalekit-webhooks';
import { ScalekitWebhookTester } from 'nestjs-scalekit-webhooks/testing';
import { holdClock } from '../../helpers/clock.js';
import { run } from '../../helpers/running-app.js';
import { aUserCreated, startScriptedApp } from '../../helpers/scripted-app.js';
import { ADAPTERS, SECRET } from '../../helpers/test-app.js';

const INVALID = { ...aUserCreated(), data: { user: { id: 'usr_1', email: 7 } } };

type Handler = Awaited<ReturnType<typeof startScriptedApp>>['first'];

function deliveryOf(handler: Handler, call = 0): ScalekitDelivery {
  const delivery = handler.mock.calls[call]?.[1];
  if (!delivery) throw new Error(`the handler was not called ${call + 1} times`);
  return delivery;
}

describe.each(ADAPTERS)('the delivery that a handler receives, on %s', (_name, adapter) => {
  beforeEach(() => {
    holdClock();
  });

  it('has the webhook-id as its id', async () => {
    const { scalekit, first } = await startScriptedApp(adapter);

    await scalekit.deliver(aUserCreated(), { id: 'msg_given' });

    expect(deliveryOf(first).id).toBe('msg_given');
  });

  it('has a new id each time if the signature scheme has none', async () => {
    const { scalekit, first } = await startScriptedApp(adapter);

    await scalekit.deliver(aUserCreated(), { scheme: 'scalekit' });
    await scalekit.deliver(aUserCreated(), { scheme: 'scalekit' });

    const ids = [deliveryOf(first).id, deliveryOf(first, 1).id];
    expect(ids.every((id) => id.length >= 16)).toBe(true);
    expect(new Set(ids).size).toBe(2);
  });

  it('has the exact bytes that were signed', async () => {
    const { scalekit, first } = await startScriptedApp(adapter);
    const body = Buffer.from(`\n ${JSON.stringify(aUserCreated(), null, 3)} \t`);

    await scalekit.deliver(body);

    expect(deliveryOf(first).rawBody.equals(body)).toBe(true);
  });

  it('has the headers of the request, with lower-case names', async () => {
    const { scalekit, first } = await startScriptedApp(adapter);

    await scalekit.deliver(aUserCreated(), { headers: { 'X-Proxy-Trace': 'Trace-1' } });

    expect(deliveryOf(first).headers).toMatchObject({
      'x-proxy-trace': 'Trace-1',
      'content-type': 'application/json',
      'webhook-signature': expect.stringMatching(/^v1,/),
    });
  });

  it('has the endpoint, the time of arrival and a signal that is not aborted', async () => {
    const { scalekit, first } = await startScriptedApp(adapter);

    await scalekit.deliver(aUserCreated());

    expect(deliveryOf(first)).toMatchObject({ endpoint: 'default', receivedAt: new Date(), issues: [] });
    expect(deliveryOf(first).signal.aborted).toBe(false);
  });

  it('counts the attempts of each handler separately', async () => {
    const { scalekit, first, second } = await startScriptedApp(adapter);
    first.mockRejectedValueOnce(new Error('broken')).mockRejectedValueOnce(new Error('broken'));
    const event = aUserCreated();

    for (let delivery = 0; delivery < 3; delivery += 1) await scalekit.deliver(event);

    expect(first.mock.calls.map(([, { attempt }]) => attempt)).toEqual([1, 2, 3]);
    expect(second.mock.calls.map(([, { attempt }]) => attempt)).toEqual([1]);
  });

  it('has the same idempotency key when the event is delivered again', async () => {
    const { scalekit, first } = await startScriptedApp(adapter);
    first.mockRejectedValueOnce(new Error('broken'));

    await scalekit.deliverTwice(aUserCreated());

    expect(deliveryOf(first).idempotencyKey).toBe(deliveryOf(first, 1).idempotencyKey);
  });

  it('has a different idempotency key for each handler and each event', async () => {
    const { scalekit, first, second } = await startScriptedApp(adapter);

    await scalekit.deliver(aUserCreated());
    await scalekit.deliver(aUserCreated());

    const keys = [first, second].flatMap((handler) => [0, 1].map((call) => deliveryOf(handler, call)));
    expect(new Set(keys.map(({ idempotencyKey }) => idempotencyKey)).size).toBe(4);
  });

  it('has the validation issues if validation is lenient', async () => {
    const { scalekit, first } = await startScriptedApp(adapter, { validation: 'lenient' });

    const { status } = await scalekit.deliver(INVALID);

    expect(status).toBe(201);
    expect(deliveryOf(first).issues).toEqual([
      expect.objectContaining({ path: 'data.user.email', rule: expect.any(String) }),
    ]);
  });

  it('has no issues if validation is off', async () => {
    const { scalekit, first } = await startScriptedApp(adapter, { validation: 'off' });

    await scalekit.deliver(INVALID);

    expect(deliveryOf(first).issues).toEqual([]);
  });

  it('differs between two endpoints that share an inbox', async () => {
    const deliveries: ScalekitDelivery[] = [];
    class Handlers {
      @OnScalekitEvent('user.created')
      keep(_event: ScalekitEvent<'user.created'>, delivery: ScalekitDelivery) {
        deliveries.push(delivery);
      }
    }
    const inbox = new MemoryInboxStore();
    const endpoint = (name: string) =>
      ScalekitWebhooksModule.forRoot({ signingSecret: SECRET, inbox, name, path: `hooks/${name}` });
    const app = await run(adapter, { imports: [endpoint('one'), endpoint('two')], providers: [Handlers] });
    const event = aUserCreated();

    for (const name of ['one', 'two']) {
      const { status } = await new ScalekitWebhookTester(app, { endpoint: name }).deliver(event);
      expect(status).toBe(201);
    }

    expect(deliveries.map((delivery) => delivery.endpoint)).toEqual(['one', 'two']);
    expect(new Set(deliveries.map(({ idempotencyKey }) => idempotencyKey)).size).toBe(2);
  });
});
