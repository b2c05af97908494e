import { describe, expect, it } from '@jest/globals';
import { OnScalekitEvent, ScalekitWebhooksModule } from 'nestjs-scalekit-webhooks';
import { createScalekitEvent, ScalekitWebhookTester } from 'nestjs-scalekit-webhooks/testing';
import { deferred } from '../../helpers/deferred.js';
import { run } from '../../helpers/running-app.js';
import { SECRET } from '../../helpers/secrets.js';
import { ADAPTERS } from '../../helpers/test-app.js';

describe.each(ADAPTERS)('two deliveries with one event id, on %s', (_name, adapter) => {
  it('both run their handlers if they are different events, even at the same time', async () => {
    const [started, gate] = [deferred(), deferred()];
    const ran: string[] = [];
    class Handlers {
      @OnScalekitEvent('user.created')
      async created() {
        started.resolve();
        await gate.promise;
        ran.push('created');
      }

      @OnScalekitEvent('user.updated')
      updated() {
        ran.push('updated');
      }
    }
    const app = await run(adapter, {
      imports: [ScalekitWebhooksModule.forRoot({ signingSecret: SECRET })],
      providers: [Handlers],
    });
    const scalekit = new ScalekitWebhookTester(app);
    const created = createScalekitEvent('user.created', {}, { seed: 1 });
    const updated = { ...createScalekitEvent('user.updated', {}, { seed: 1 }), id: created.id };

    const first = scalekit.deliver(created);
    await started.promise;
    const second = scalekit.deliver(updated);
    gate.resolve();

    expect([(await first).status, (await second).status]).toEqual([201, 201]);
    expect(ran.toSorted()).toEqual(['created', 'updated']);
  });
});
