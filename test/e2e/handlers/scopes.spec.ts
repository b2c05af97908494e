import { beforeEach, describe, expect, it } from '@jest/globals';
import {
  CallHandler,
  CanActivate,
  Controller,
  ExecutionContext,
  Inject,
  Injectable,
  type ModuleMetadata,
  type NestInterceptor,
  Scope,
  UseGuards,
  UseInterceptors,
} from '@nestjs/common';
import { REQUEST } from '@nestjs/core';
import { OnScalekitEvent, type ScalekitEventContext, ScalekitWebhooksModule } from 'nestjs-scalekit-webhooks';
import { createScalekitEvent, ScalekitWebhookTester } from 'nestjs-scalekit-webhooks/testing';
import { run } from '../../helpers/running-app.js';
import { ADAPTERS, SECRET } from '../../helpers/test-app.js';

const seen: unknown[] = [];
beforeEach(() => {
  seen.length = 0;
});

@Injectable({ scope: Scope.REQUEST })
class UnitOfWork {
  constructor(@Inject(REQUEST) readonly context: ScalekitEventContext) {}
}

@Injectable({ scope: Scope.TRANSIENT })
class Counter {
  count = 0;
}

describe.each(ADAPTERS)('request-scoped and transient handlers, on %s', (_name, adapter) => {
  async function deliver({ providers = [], ...metadata }: ModuleMetadata, times = 1) {
    const app = await run(adapter, {
      imports: [ScalekitWebhooksModule.forRoot({ signingSecret: SECRET })],
      ...metadata,
      providers: [UnitOfWork, Counter, ...providers],
    });
    const statuses: number[] = [];
    for (let seed = 0; seed < times; seed += 1) {
      const event = createScalekitEvent('user.created', {}, { seed });
      statuses.push((await new ScalekitWebhookTester(app).deliver(event)).status);
    }
    return statuses;
  }

  it('are created for each event, with their dependencies', async () => {
    @Injectable({ scope: Scope.REQUEST })
    class Handlers {
      constructor(private readonly counter: Counter) {}

      @OnScalekitEvent('user.created')
      created() {
        this.counter.count += 1;
        seen.push(this.counter.count);
      }
    }

    expect(await deliver({ providers: [Handlers] }, 2)).toEqual([201, 201]);
    expect(seen).toEqual([1, 1]);
  });

  it('can be transient', async () => {
    @Injectable({ scope: Scope.TRANSIENT })
    class Handlers {
      private runs = 0;

      @OnScalekitEvent('user.created')
      created() {
        this.runs += 1;
        seen.push(this.runs);
      }
    }

    expect(await deliver({ providers: [Handlers] }, 2)).toEqual([201, 201]);
    expect(seen).toEqual([1, 1]);
  });

  it('can be controllers', async () => {
    @Controller({ path: 'users', scope: Scope.REQUEST })
    class Users {
      constructor(private readonly work: UnitOfWork) {}

      @OnScalekitEvent('user.created')
      created() {
        seen.push(this.work.context.event.type);
      }
    }

    expect(await deliver({ controllers: [Users] })).toEqual([201]);
    expect(seen).toEqual(['user.created']);
  });

  it('share request-scoped dependencies only with the other handlers of the same event', async () => {
    @Injectable()
    class First {
      constructor(private readonly work: UnitOfWork) {}

      @OnScalekitEvent('user.created')
      created() {
        seen.push(this.work);
      }
    }
    @Injectable()
    class Second {
      constructor(private readonly work: UnitOfWork) {}

      @OnScalekitEvent('*')
      any() {
        seen.push(this.work);
      }
    }

    await deliver({ providers: [First, Second] }, 2);

    const [a, b, c, d] = seen;
    expect(a).toBeInstanceOf(UnitOfWork);
    expect(b).toBe(a);
    expect(c).not.toBe(a);
    expect(d).toBe(c);
  });

  it('can inject the event and its endpoint as REQUEST', async () => {
    @Injectable({ scope: Scope.REQUEST })
    class Handlers {
      constructor(@Inject(REQUEST) private readonly context: ScalekitEventContext) {}

      @OnScalekitEvent('user.created')
      created() {
        const { event, endpoint, headers } = this.context;
        seen.push(event.type, endpoint, headers['content-type']);
      }
    }

    await deliver({ providers: [Handlers] });

    expect(seen).toEqual(['user.created', 'default', 'application/json']);
  });

  it('can have request-scoped guards, and so can singletons', async () => {
    @Injectable({ scope: Scope.REQUEST })
    class TenantGuard implements CanActivate {
      constructor(private readonly work: UnitOfWork) {}

      canActivate(context: ExecutionContext) {
        seen.push([context.getHandler().name, this.work.context?.event.type]);
        return true;
      }
    }
    @Injectable({ scope: Scope.REQUEST })
    class Scoped {
      @UseGuards(TenantGuard)
      @OnScalekitEvent('user.created')
      scoped() {}
    }
    @Injectable()
    class Singleton {
      @UseGuards(TenantGuard)
      @OnScalekitEvent('user.created')
      singleton() {}
    }

    expect(await deliver({ providers: [Scoped, Singleton] })).toEqual([201]);
    expect(seen).toHaveLength(2);
    expect(seen).toContainEqual(['scoped', 'user.created']);
    expect(seen).toContainEqual(['singleton', 'user.created']);
  });

  it('can have a request-scoped interceptor on the class', async () => {
    @Injectable({ scope: Scope.REQUEST })
    class Trace implements NestInterceptor {
      constructor(private readonly work: UnitOfWork) {}

      intercept(_context: ExecutionContext, next: CallHandler) {
        seen.push(this.work.context?.event.type);
        return next.handle();
      }
    }
    @UseInterceptors(Trace)
    @Controller('users')
    class Users {
      @OnScalekitEvent('user.created')
      created() {
        seen.push('ran');
      }
    }

    expect(await deliver({ controllers: [Users] })).toEqual([201]);
    expect(seen).toEqual(['user.created', 'ran']);
  });

  it('do not affect other handlers if their dependencies cannot be created', async () => {
    @Injectable({ scope: Scope.REQUEST })
    class Broken {
      constructor() {
        throw new Error('no connection');
      }

      @OnScalekitEvent('user.created')
      created() {}
    }
    class Sound {
      @OnScalekitEvent('user.created')
      created() {
        seen.push('sound');
      }
    }

    expect(await deliver({ providers: [Broken, Sound] })).toEqual([500]);
    expect(seen).toEqual(['sound']);
  });
});
