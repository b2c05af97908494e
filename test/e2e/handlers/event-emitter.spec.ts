import { beforeEach, describe, expect, it } from '@jest/globals';
import { EventEmitter2, EventEmitterModule, OnEvent } from '@nestjs/event-emitter';
import {
  OnScalekitEvent,
  type ScalekitDelivery,
  type ScalekitEvent,
  ScalekitWebhooksModule,
  UserCreatedEvent,
} from 'nestjs-scalekit-webhooks';
import { createScalekitEvent, ScalekitWebhookTester } from 'nestjs-scalekit-webhooks/testing';
import { deferred } from '../../helpers/deferred.js';
import { run, runOnExpress } from '../../helpers/running-app.js';
import { ADAPTERS, SECRET } from '../../helpers/test-app.js';

const seen: unknown[] = [];
beforeEach(() => {
  seen.length = 0;
});

const webhooks = () => ScalekitWebhooksModule.forRoot({ signingSecret: SECRET, eventEmitter: true });

describe.each(ADAPTERS)('eventEmitter, on %s', (_name, adapter) => {
  async function start(providers: (new () => object)[] = [], options = {}) {
    const app = await run(adapter, { imports: [EventEmitterModule.forRoot(options), webhooks()], providers });
    return { emitter: app.get(EventEmitter2), scalekit: new ScalekitWebhookTester(app) };
  }

  it('emits the event and its delivery as scalekit.<type>', async () => {
    class Listener {
      @OnEvent('scalekit.user.created')
      created(event: ScalekitEvent<'user.created'>, delivery: ScalekitDelivery) {
        seen.push(event.constructor, delivery.endpoint, delivery.attempt);
      }
    }
    const { scalekit } = await start([Listener]);

    expect((await scalekit.deliver(createScalekitEvent('user.created'))).status).toBe(201);
    expect(seen).toEqual([UserCreatedEvent, 'default', 1]);
  });

  it('responds once all listeners have finished', async () => {
    const { emitter, scalekit } = await start();
    const [started, release] = [deferred(), deferred()];
    emitter.on('scalekit.user.created', async () => {
      started.resolve();
      await release.promise;
      seen.push('ended');
    });

    const answer = scalekit.deliver(createScalekitEvent('user.created')).then(({ status }) => {
      seen.push(status);
    });
    await started.promise;
    release.resolve();
    await answer;

    expect(seen).toEqual(['ended', 201]);
  });

  it('reaches wildcard listeners if the application enables wildcards', async () => {
    const { emitter, scalekit } = await start([], { wildcard: true });
    emitter.on('scalekit.organization.**', (event: ScalekitEvent) => seen.push(event.type));

    const { status } = await scalekit.deliver(createScalekitEvent('organization.directory.user_created'));

    expect([status, seen]).toEqual([201, ['organization.directory.user_created']]);
  });

  it.each([
    [
      'throws',
      () => {
        throw new Error('of the listener');
      },
    ],
    ['rejects', () => Promise.reject(new Error('of the listener'))],
  ])('treats a listener that %s as a failed handler', async (_how, listener) => {
    const { emitter, scalekit } = await start();
    emitter.on('scalekit.user.created', listener);

    expect(await scalekit.deliver(createScalekitEvent('user.created'))).toMatchObject({
      status: 500,
      body: { received: false },
    });
  });

  it('notices the failure of an @OnEvent listener that does not suppress errors', async () => {
    class Listener {
      @OnEvent('scalekit.user.created', { suppressErrors: false })
      created() {
        throw new Error('of the listener');
      }
    }
    const { scalekit } = await start([Listener]);

    expect((await scalekit.deliver(createScalekitEvent('user.created'))).status).toBe(500);
  });

  it('does not notice the failure of an @OnEvent listener that suppresses errors, as it does by default', async () => {
    class Listener {
      @OnEvent('scalekit.user.created')
      created() {
        throw new Error('of the listener');
      }
    }
    const { scalekit } = await start([Listener]);

    expect((await scalekit.deliver(createScalekitEvent('user.created'))).status).toBe(201);
  });

  it('does not emit again on a retry for another handler', async () => {
    let fails = true;
    class Handlers {
      @OnScalekitEvent('user.created')
      created() {
        if (fails) throw new Error('not yet');
        seen.push('handled');
      }
    }
    const { emitter, scalekit } = await start([Handlers]);
    emitter.on('scalekit.user.created', () => seen.push('emitted'));
    const event = createScalekitEvent('user.created');

    const first = await scalekit.deliver(event);
    fails = false;
    const second = await scalekit.deliver(event);

    expect([first.status, second.status]).toEqual([500, 201]);
    expect(seen).toEqual(['emitted', 'handled']);
  });

  it('emits again on a retry after a listener failed', async () => {
    const { emitter, scalekit } = await start();
    emitter.on('scalekit.user.created', (_event: unknown, { attempt }: ScalekitDelivery) => {
      seen.push(attempt);
      if (attempt === 1) throw new Error('not yet');
    });
    const event = createScalekitEvent('user.created');

    const statuses = [(await scalekit.deliver(event)).status, (await scalekit.deliver(event)).status];

    expect(statuses).toEqual([500, 201]);
    expect(seen).toEqual([1, 2]);
  });

  it('ignores an event without listeners', async () => {
    const { emitter, scalekit } = await start();
    emitter.on('scalekit.user.deleted', () => seen.push('deleted'));

    expect(await scalekit.deliver(createScalekitEvent('user.created'))).toMatchObject({
      status: 200,
      body: { received: true, status: 'ignored' },
    });
  });
});

describe('eventEmitter without EventEmitterModule', () => {
  it('fails at startup and names the setting', async () => {
    await expect(runOnExpress({ imports: [webhooks()] })).rejects.toMatchObject({
      name: 'ScalekitWebhooksConfigurationError',
      setting: 'eventEmitter',
      message: expect.stringContaining('import EventEmitterModule.forRoot()'),
    });
  });
});
