import { expect, it } from '@jest/globals';
import { OnScalekitEvent, type ScalekitDelivery, ScalekitWebhooksModule } from 'nestjs-scalekit-webhooks';
import { createScalekitEvent, ScalekitWebhookTester } from 'nestjs-scalekit-webhooks/testing';
import { runOnExpress } from '../helpers/running-app.js';
import { SECRET } from '../helpers/test-app.js';
import { describeOnEachStore, type OpenStore } from './helpers/each-store.js';

const OTHER_SECRET = `whsec_${Buffer.alloc(32, 8).toString('base64')}`;

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
  if (!eu || !us) throw new Error('two endpoints were made');
  return { inbox, runs, failing, eu, us };
}

/** One id, and what each endpoint is sent under it. */
const twins = () => {
  const event = createScalekitEvent('user.created');
  return [event.id, { ...event, display_name: 'of eu' }, { ...event, display_name: 'of us' }] as const;
};

await describeOnEachStore('two endpoints that get the same event ids', (open) => {
  it('run each its own event, with keys of its own for other APIs', async () => {
    const { eu, us, runs } = await start(await open());
    const [, ofEu, ofUs] = twins();

    expect((await eu.deliver(ofEu)).status).toBe(201);
    expect((await us.deliver(ofUs)).status).toBe(201);
    expect((await us.deliver(ofUs)).status).toBe(200);

    expect(runs.map((run) => run.split(' ').slice(0, 4).join(' '))).toEqual(['eu of eu 1', 'us of us 1']);
    expect(new Set(runs.map((run) => run.split(' ').at(-1))).size).toBe(2);
  });

  it('retry each its own failures', async () => {
    const { eu, us, failing, inbox } = await start(await open());
    const [eventId, ofEu, ofUs] = twins();
    failing.add('us');

    expect((await us.deliver(ofUs)).status).toBe(500);
    expect((await eu.deliver(ofEu)).status).toBe(201);
    expect(await inbox.get({ endpoint: 'us', eventId })).toMatchObject({ runs: [{ state: 'failed' }] });
    expect(await inbox.get({ endpoint: 'eu', eventId })).toMatchObject({ runs: [{ state: 'done' }] });
    expect((await us.deliver(ofUs)).status).toBe(201);
    expect((await eu.deliver(ofEu)).status).toBe(200);
  });

  it('keep each its own bytes, and are read and reopened each for itself', async () => {
    const { eu, us, inbox } = await start(await open());
    const [eventId, ofEu, ofUs] = twins();
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
