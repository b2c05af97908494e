import { beforeEach, describe, expect, it } from '@jest/globals';
import {
  ArgumentsHost,
  CanActivate,
  Catch,
  ExceptionFilter,
  type Type,
  UseFilters,
  UseGuards,
} from '@nestjs/common';
import {
  NonRetryableEventError,
  OnScalekitEvent,
  SCALEKIT_CONTEXT_TYPE,
  type ScalekitEvent,
  ScalekitEventDispatcher,
  ScalekitWebhooksModule,
} from 'nestjs-scalekit-webhooks';
import { createScalekitEvent, ScalekitWebhookTester } from 'nestjs-scalekit-webhooks/testing';
import { run } from '../../helpers/running-app.js';
import { ADAPTERS, SECRET } from '../../helpers/test-app.js';

const seen: unknown[] = [];
beforeEach(() => {
  seen.length = 0;
});

describe.each(ADAPTERS)('handler filters, on %s', (_name, adapter) => {
  async function deliver(handlers: Type<object>) {
    const app = await run(adapter, {
      imports: [ScalekitWebhooksModule.forRoot({ signingSecret: SECRET })],
      providers: [handlers],
    });
    return (await new ScalekitWebhookTester(app).deliver(createScalekitEvent('user.created'))).status;
  }

  @Catch(RangeError)
  class Swallow implements ExceptionFilter<RangeError> {
    catch(error: RangeError, host: ArgumentsHost) {
      seen.push([error.message, host.getType<string>(), host.getArgs<[ScalekitEvent]>()[0].type]);
      return 'all is well';
    }
  }
  @Catch(RangeError)
  class GiveUp implements ExceptionFilter<RangeError> {
    catch(error: RangeError) {
      throw new NonRetryableEventError(error.message);
    }
  }

  class OnMethod {
    @UseFilters(Swallow)
    @OnScalekitEvent('user.created')
    created() {
      throw new RangeError('too far');
    }
  }

  @UseFilters(Swallow)
  class OnClass {
    @OnScalekitEvent('user.created')
    async created() {
      throw new RangeError('too far');
    }
  }

  it.each([
    ['method', OnMethod],
    ['class', OnClass],
  ])('on a %s see the error, but cannot turn the failure into a success', async (_level, handlers) => {
    expect(await deliver(handlers)).toBe(500);
    expect(seen).toEqual([['too far', SCALEKIT_CONTEXT_TYPE, 'user.created']]);
  });

  it('leave the original error in the inbox and the log if they return a value', async () => {
    const app = await run(adapter, {
      imports: [ScalekitWebhooksModule.forRoot({ signingSecret: SECRET })],
      providers: [OnMethod],
    });
    const dispatcher = app.get(ScalekitEventDispatcher, { strict: false });

    const { handlers } = await dispatcher.dispatch(createScalekitEvent('user.created'));

    expect(handlers[0]?.error).toMatchObject({ name: 'RangeError', message: 'too far' });
  });

  it('ignore errors that they do not catch', async () => {
    @UseFilters(Swallow)
    class Handlers {
      @OnScalekitEvent('user.created')
      created() {
        throw new TypeError('another error');
      }
    }

    expect(await deliver(Handlers)).toBe(500);
    expect(seen).toEqual([]);
  });

  it('can make a failure non-retryable', async () => {
    class Handlers {
      @UseFilters(GiveUp)
      @OnScalekitEvent('user.created')
      created() {
        throw new RangeError('too far');
      }
    }

    expect(await deliver(Handlers)).toBe(422);
  });

  it("see the error of the handler's guard", async () => {
    class Deny implements CanActivate {
      canActivate(): never {
        throw new RangeError('denied');
      }
    }
    class Handlers {
      @UseGuards(Deny)
      @UseFilters(Swallow)
      @OnScalekitEvent('user.created')
      created() {}
    }

    expect(await deliver(Handlers)).toBe(500);
    expect(seen).toEqual([['denied', SCALEKIT_CONTEXT_TYPE, 'user.created']]);
  });
});
