import { describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { OnScalekitEvent, type ScalekitEvent, ScalekitWebhooksModule } from 'nestjs-scalekit-webhooks';
import { createScalekitEvent, ScalekitDeliverySimulator } from 'nestjs-scalekit-webhooks/testing';
import { run } from '../helpers/running-app.js';
import { OTHER_SECRET as NEW_SECRET, SECRET } from '../helpers/secrets.js';
import { ADAPTERS } from '../helpers/test-app.js';

@Injectable()
class Seats {
  readonly taken: string[] = [];
  failures = 0;

  @OnScalekitEvent('user.created')
  take({ id }: ScalekitEvent<'user.created'>): void {
    if (this.failures++ % 5 === 0) throw new Error('one in five fails');
    this.taken.push(id);
  }
}

describe.each(ADAPTERS)('The delivery simulator against an application on %s', (_, adapter) => {
  const events = Array.from({ length: 24 }, (_, seed) => createScalekitEvent('user.created', {}, { seed }));
  const ids = events.map(({ id }) => id).sort();

  it('has each event handled once, despite failures, duplicates and reordering', async () => {
    const imports = [ScalekitWebhooksModule.forRoot({ signingSecret: SECRET })];
    const app = await run(adapter, { imports, providers: [Seats] });
    const simulator = new ScalekitDeliverySimulator({
      app,
      timeScale: 100_000,
      duplicates: 4,
      reorder: true,
    });

    const { totals } = await simulator.send(events);

    expect(totals).toMatchObject({ events: 24, acknowledged: 24, givenUp: 0 });
    expect(app.get(Seats).taken.sort()).toEqual(ids);
  });

  it('delivers every event while the secret is rotated', async () => {
    const imports = [ScalekitWebhooksModule.forRoot({ signingSecret: [NEW_SECRET, SECRET] })];
    const app = await run(adapter, { imports, providers: [Seats] });
    const secrets = [
      { secret: SECRET, until: 0.6 },
      { secret: NEW_SECRET, from: 0.4 },
    ];

    const { totals } = await new ScalekitDeliverySimulator({ app, secrets, timeScale: 100_000 }).send(events);

    expect(totals.acknowledged).toBe(24);
    expect(totals.statuses).not.toHaveProperty('401');
  });

  it('gives up events if the application knows only the old secret', async () => {
    const imports = [ScalekitWebhooksModule.forRoot({ signingSecret: SECRET })];
    const app = await run(adapter, { imports, providers: [Seats] });
    const secrets = [
      { secret: SECRET, until: 0.5 },
      { secret: NEW_SECRET, from: 0.5 },
    ];

    const simulator = new ScalekitDeliverySimulator({ app, secrets, timeScale: 1e9, concurrency: 1 });
    const { totals } = await simulator.send(events);

    expect(totals.givenUp).toBeGreaterThanOrEqual(12);
  });
});
