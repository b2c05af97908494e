import './helpers/timeout.js';
import { expect, it } from '@jest/globals';
import { OnScalekitEvent, ScalekitWebhooksModule } from 'nestjs-scalekit-webhooks';
import { createScalekitEvent, ScalekitWebhookTester } from 'nestjs-scalekit-webhooks/testing';
import { runOnExpress } from '../helpers/running-app.js';
import { SECRET } from '../helpers/secrets.js';
import { describeOnEachStore } from './helpers/each-store.js';

/** A class with `count` handlers for one event. */
function handlersClass(count: number) {
  class Handlers {}
  for (let number = 0; number < count; number += 1) {
    const name = `handle${number}`;
    const descriptor = { value: async () => {}, writable: true, configurable: true };
    Object.defineProperty(Handlers.prototype, name, descriptor);
    OnScalekitEvent('user.created')(Handlers.prototype, name, descriptor);
  }
  return Handlers;
}

await describeOnEachStore('a delivery', (open) => {
  it.each([1, 20])('to %i handlers takes two round trips, and its duplicate one', async (count) => {
    const { inbox, roundTrips } = await open();
    const app = await runOnExpress({
      imports: [ScalekitWebhooksModule.forRoot({ signingSecret: SECRET, inbox })],
      providers: [handlersClass(count)],
    });
    const scalekit = new ScalekitWebhookTester(app);
    // The first delivery also creates the tables, or loads the scripts.
    await scalekit.deliver(createScalekitEvent('user.created'));
    const event = createScalekitEvent('user.created');
    const before = roundTrips();

    expect((await scalekit.deliver(event)).status).toBe(201);
    expect(roundTrips() - before).toBe(2);
    expect((await scalekit.deliver(event)).status).toBe(200);
    expect(roundTrips() - before).toBe(3);
    const entry = await inbox.get({ endpoint: 'default', eventId: event.id });
    expect(entry?.runs.filter(({ state }) => state === 'done')).toHaveLength(count);
  });
});
