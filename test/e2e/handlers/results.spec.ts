import { beforeEach, describe, expect, it } from '@jest/globals';
import { type CanActivate, UseGuards } from '@nestjs/common';
import { OnScalekitEvent, ScalekitWebhooksModule } from 'nestjs-scalekit-webhooks';
import { createScalekitEvent, ScalekitWebhookTester } from 'nestjs-scalekit-webhooks/testing';
import { defer, of, throwError } from 'rxjs';
import { run } from '../../helpers/running-app.js';
import { ADAPTERS, SECRET } from '../../helpers/test-app.js';

let subscriptions = 0;
beforeEach(() => {
  subscriptions = 0;
});
const counted = () =>
  defer(() => {
    subscriptions += 1;
    return of('sent');
  });

class ReturnsObservable {
  @OnScalekitEvent('user.created')
  handle() {
    return counted();
  }
}

class PromisesObservable {
  @OnScalekitEvent('user.created')
  async handle() {
    return counted();
  }
}

class ReturnsFailure {
  @OnScalekitEvent('user.created')
  handle() {
    return throwError(() => new Error('failed'));
  }
}

class ThrowsAtOnce {
  @OnScalekitEvent('user.created')
  handle(): void {
    throw new Error('failed');
  }
}

class Refusing implements CanActivate {
  canActivate() {
    return false;
  }
}

class GuardedHandlers {
  @OnScalekitEvent('user.created')
  handle() {
    subscriptions += 1;
  }
}
UseGuards(Refusing)(GuardedHandlers);
// Like helpers that mix one class into another.
GuardedHandlers.prototype.constructor = ReturnsObservable;

describe.each(ADAPTERS)('a handler, on %s', (_name, adapter) => {
  async function deliverTo(handlers: new () => object): Promise<number> {
    const imports = [ScalekitWebhooksModule.forRoot({ signingSecret: SECRET })];
    const app = await run(adapter, { imports, providers: [handlers, Refusing] });
    return (await new ScalekitWebhookTester(app).deliver(createScalekitEvent('user.created'))).status;
  }

  it.each([ReturnsObservable, PromisesObservable])(
    'has its Observable subscribed to once: %p',
    async (handlers) => {
      expect(await deliverTo(handlers)).toBe(201);
      expect(subscriptions).toBe(1);
    },
  );

  it.each([ReturnsFailure, ThrowsAtOnce])(
    'fails if it throws or its Observable fails: %p',
    async (handlers) => {
      expect(await deliverTo(handlers)).toBe(500);
    },
  );

  it('is guarded by its class even if its instance has another constructor', async () => {
    expect(await deliverTo(GuardedHandlers)).toBe(500);
    expect(subscriptions).toBe(0);
  });
});
