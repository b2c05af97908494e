import './helpers/timeout.js';
import { expect, it } from '@jest/globals';
import { OnScalekitEvent, type ScalekitDelivery, ScalekitWebhooksModule } from 'nestjs-scalekit-webhooks';
import { createScalekitEvent, ScalekitWebhookTester } from 'nestjs-scalekit-webhooks/testing';
import { runOnExpress } from '../helpers/running-app.js';
import { OTHER_SECRET, SECRET } from '../helpers/secrets.js';
import { describeOnEachStore, type OpenStore } from './helpers/each-store.js';

async function start({ inbox }: OpenStore) {
  const runs: string[] = [];
  const failing = new Set<string>();
  class Handlers {
    @OnScalekitEvent('user.created', { id: 'handle' })
    handle(_event: unknown, { endpoint, attempt, rawBody, idempotencyKey }: ScalekitDelivery) {
      runs.push(`${endpoint} ${JSON.parse(String(rawBody)).display_name} ${attempt} ${idempotencyKey}`);
      if (failing.delete(endpoint)) throw new Error('broken');
    }
  }
  const app = await runOnExpress({
    imports: [
      ScalekitWebhooksModule.forRoot({ inbox, name: 'eu', path: 'eu', signingSecret: SECRET }),
      ScalekitWebhooksModule.forRoot({ inbox, name: 'us', path: 'us', signingSecret: OTHER_SECRET }),
    ],
    providers: [Handlers],
  });
  const [eu, us] = ['eu', 'us'].map((endpoint) => new ScalekitWebhookTester(app, { endpoint }));
  if (!eu || !us) throw new Error('There are two endpoints');
  return { inbox, runs, failing, eu, us };
}

/** An event id, and the event that each endpoint receives with it. */
const sameId = () => {
  const event = createScalekitEvent('user.created');
  return [event.id, { ...event, display_name: 'of eu' }, { ...event, display_name: 'of us' }] as const;
};

await describeOnEachStore('two endpoints that receive the same event ids', (open) => {
  it('each run their own event, with their own idempotency keys', async () => {
    const { eu, us, runs } = await start(await open());
    const [, ofEu, ofUs] = sameId();

    expect((await eu.deliver(ofEu)).status).toBe(201);
    expect((await us.deliver(ofUs)).status).toBe(201);
    expect((await us.deliver(ofUs)).status).toBe(200);

    expect(runs.map((run) => run.split(' ').slice(0, 4).join(' '))).toEqual(['eu of eu 1', 'us of us 1']);
    expect(new Set(runs.map((run) => run.split(' ').at(-1))).size).toBe(2);
  });

  it('each retry their own failures', async () => {
    const { eu, us, failing, inbox } = await start(await open());
    const [eventId, ofEu, ofUs] = sameId();
    failing.add('us');

    expect((await us.deliver(ofUs)).status).toBe(500);
    expect((await eu.deliver(ofEu)).status).toBe(201);
    expect(await inbox.get({ endpoint: 'us', eventId })).toMatchObject({ runs: [{ state: 'failed' }] });
    expect(await inbox.get({ endpoint: 'eu', eventId })).toMatchObject({ runs: [{ state: 'done' }] });
    expect((await us.deliver(ofUs)).status).toBe(201);
    expect((await eu.deliver(ofEu)).status).toBe(200);
  });

  it('each keep their own payload, and are read and reopened separately', async () => {
    const { eu, us, inbox } = await start(await open());
    const [eventId, ofEu, ofUs] = sameId();
    await Promise.all([eu.deliver(ofEu), us.deliver(ofUs)]);

    const bytes = await inbox.payload({ endpoint: 'us', eventId });
    expect(JSON.parse(Buffer.from(bytes ?? []).toString())).toMatchObject({ display_name: 'of us' });
    expect(await inbox.list({ endpoint: 'eu' })).toMatchObject({ entries: [{ endpoint: 'eu', eventId }] });
    expect(await inbox.count({ endpoint: 'us' })).toBe(1);

    await inbox.reopen({ endpoint: 'us', eventId }, ['handle']);
    expect((await eu.deliver(ofEu)).status).toBe(200);
    expect((await us.deliver(ofUs)).status).toBe(201);
  });
});
