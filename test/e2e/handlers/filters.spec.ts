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
import { BaseExceptionFilter } from '@nestjs/core';
import {
  NonRetryableEventError,
  OnScalekitEvent,
  SCALEKIT_CONTEXT_TYPE,
  type ScalekitEvent,
  ScalekitEventDispatcher,
  ScalekitInbox,
  ScalekitWebhooksModule,
  type ScalekitWebhooksOptions,
} from 'nestjs-scalekit-webhooks';
import { createScalekitEvent, ScalekitWebhookTester } from 'nestjs-scalekit-webhooks/testing';
import { CapturedLogger } from '../../helpers/captured-logger.js';
import { run } from '../../helpers/running-app.js';
import { ADAPTERS, SECRET } from '../../helpers/test-app.js';

const seen: unknown[] = [];
beforeEach(() => {
  seen.length = 0;
});

describe.each(ADAPTERS)('handler filters, on %s', (_name, adapter) => {
  async function deliver(handlers: Type<object>) {
    return (await deliverAndLog(handlers)).status;
  }

  async function deliverAndLog(handlers: Type<object>, options: ScalekitWebhooksOptions = {}) {
    const logger = new CapturedLogger();
    const app = await run(
      adapter,
      {
        imports: [ScalekitWebhooksModule.forRoot({ signingSecret: SECRET, ...options })],
        providers: [handlers],
      },
      undefined,
      { logger },
    );
    const event = createScalekitEvent('user.created');
    const { status } = await new ScalekitWebhookTester(app).deliver(event);
    const entry = await app.get(ScalekitInbox, { strict: false }).get(event.id);
    return { status, logger, run: entry?.runs[0] };
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

  @Catch()
  class Report implements ExceptionFilter {
    catch() {}
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

  describe('that crash', () => {
    class Crash extends BaseExceptionFilter {}
    class CrashAsync implements ExceptionFilter {
      async catch() {
        throw new TypeError('the filter is broken');
      }
    }
    Catch()(Crash);
    Catch()(CrashAsync);

    it.each([
      ['that extends BaseExceptionFilter', Crash, /TypeError: .*not a function/],
      ['that rejects', CrashAsync, /TypeError: the filter is broken/],
    ])(
      'leave the decision to the error of the handler, with both in the log: one %s',
      async (_kind, filter, crash) => {
        class Retried {
          @UseFilters(filter)
          @OnScalekitEvent('user.created')
          created() {
            throw new RangeError('too far');
          }
        }
        class Final {
          @UseFilters(filter)
          @OnScalekitEvent('user.created')
          created() {
            throw new NonRetryableEventError('no tenant');
          }
        }

        const retried = await deliverAndLog(Retried);
        expect(retried).toMatchObject({
          status: 500,
          run: { state: 'failed', error: { name: 'RangeError', message: 'too far' } },
        });
        expect(retried.logger.ours('warn')).toContainEqual(expect.stringMatching(crash));
        expect(retried.logger.ours('warn').at(-2)).toMatch(
          /^Retried\.created failed .*: RangeError: too far$/,
        );

        const final = await deliverAndLog(Final);
        expect(final).toMatchObject({
          status: 422,
          run: { state: 'dead', error: { name: 'NonRetryableEventError', message: 'no tenant' } },
        });
        expect(final.logger.ours('warn')).toContainEqual(expect.stringMatching(crash));
        expect(final.logger.ours('error')).toEqual([
          expect.stringContaining('NonRetryableEventError: no tenant'),
        ]);
      },
    );

    it('leave the decision to the retryable option, which sees the error of the handler', async () => {
      class Handlers {
        @UseFilters(Crash)
        @OnScalekitEvent('user.created')
        created() {
          throw new RangeError('too far');
        }
      }

      const retryable = (error: unknown) => !(error instanceof RangeError);
      expect((await deliverAndLog(Handlers, { retryable })).status).toBe(422);
    });
  });

  it('can make a failure non-retryable, and the log still has the error of the handler', async () => {
    class Handlers {
      @UseFilters(GiveUp)
      @OnScalekitEvent('user.created')
      created() {
        throw new RangeError('too far');
      }
    }

    const { logger } = await deliverAndLog(Handlers);
    expect(logger.ours('error')).toEqual([expect.stringContaining('NonRetryableEventError: too far')]);
    expect(logger.ours('warn')).toContainEqual(
      expect.stringMatching(/ The error of the handler was: RangeError: too far$/),
    );
  });

  it.each([
    ['return nothing', Report],
    ['do not catch the error', Swallow],
  ])(
    'that %s add no line of Nest to the log, which would have every property of the error',
    async (_kind, filter) => {
      class Handlers {
        @UseFilters(filter)
        @OnScalekitEvent('user.created')
        created() {
          throw Object.assign(new TypeError('no'), { email: 'ada@example.com' });
        }
      }

      const { logger } = await deliverAndLog(Handlers);
      expect(logger.lines.filter(({ context }) => context === 'ExceptionsHandler')).toEqual([]);
    },
  );
});
