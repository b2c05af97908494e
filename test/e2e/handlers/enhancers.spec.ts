import { beforeEach, describe, expect, it } from '@jest/globals';
import {
  BadRequestException,
  CallHandler,
  CanActivate,
  Controller,
  ExecutionContext,
  Injectable,
  Module,
  NestInterceptor,
  PipeTransform,
  type Provider,
  SetMetadata,
  type Type,
  UseGuards,
  UseInterceptors,
  UsePipes,
  ValidationPipe,
} from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import {
  OnScalekitEvent,
  SCALEKIT_CONTEXT_TYPE,
  type ScalekitDelivery,
  type ScalekitEvent,
  ScalekitWebhooksModule,
  UserCreatedEvent,
} from 'nestjs-scalekit-webhooks';
import { createScalekitEvent, ScalekitWebhookTester } from 'nestjs-scalekit-webhooks/testing';
import { map } from 'rxjs';
import { run } from '../../helpers/running-app.js';
import { ADAPTERS, SECRET } from '../../helpers/test-app.js';

const seen: unknown[] = [];
beforeEach(() => {
  seen.length = 0;
});

@Injectable()
class Plan {
  readonly allows = (plan: string) => plan === 'pro';
}

const RequiredPlan = (plan: string) => SetMetadata('plan', plan);

@Injectable()
class PlanGuard implements CanActivate {
  constructor(
    private readonly reflector: Reflector,
    private readonly plan: Plan,
  ) {}

  canActivate(context: ExecutionContext): boolean {
    seen.push([context.getClass().name, context.getHandler().name, context.getType<string>()]);
    return this.plan.allows(this.reflector.get<string>('plan', context.getHandler()));
  }
}

@Injectable()
class Surround implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler) {
    const [event, delivery] = context.getArgs<[ScalekitEvent, ScalekitDelivery]>();
    seen.push(['before', event.type, delivery.endpoint]);
    return next.handle().pipe(map((result) => seen.push(['after', result])));
  }
}

describe.each(ADAPTERS)('handler enhancers, on %s', (_name, adapter) => {
  async function deliver(handlers: Type<object>, providers: Provider[] = [], asController = false) {
    @Module({
      providers: [Plan, ...providers, ...(asController ? [] : [handlers])],
      controllers: asController ? [handlers] : [],
    })
    class FeatureModule {}

    const app = await run(adapter, {
      imports: [ScalekitWebhooksModule.forRoot({ signingSecret: SECRET }), FeatureModule],
    });
    const answer = await new ScalekitWebhookTester(app).deliver(createScalekitEvent('user.created'));
    return answer.status;
  }

  describe.each([
    ['a provider of a feature module', false],
    ['a controller of a feature module', true],
  ])('on %s', (_host, asController) => {
    it('let a guard with dependencies read metadata and the context', async () => {
      @Controller('billing')
      class Billing {
        @RequiredPlan('pro')
        @UseGuards(PlanGuard)
        @OnScalekitEvent('user.created')
        charge() {
          seen.push('charged');
        }
      }

      expect(await deliver(Billing, [], asController)).toBe(201);
      expect(seen).toEqual([['Billing', 'charge', SCALEKIT_CONTEXT_TYPE], 'charged']);
    });

    it('answer 500 if a guard denies access, so that Scalekit retries', async () => {
      @Controller('billing')
      @UseGuards(PlanGuard)
      class Billing {
        @RequiredPlan('free')
        @OnScalekitEvent('user.created')
        charge() {
          seen.push('charged');
        }
      }

      expect(await deliver(Billing, [], asController)).toBe(500);
      expect(seen).not.toContain('charged');
    });

    it('wrap the method in interceptors', async () => {
      @Controller('billing')
      class Billing {
        @OnScalekitEvent('user.created')
        @UseInterceptors(Surround)
        charge() {
          return 'result';
        }
      }

      expect(await deliver(Billing, [], asController)).toBe(201);
      expect(seen).toEqual([
        ['before', 'user.created', 'default'],
        ['after', 'result'],
      ]);
    });
  });

  it("let a strict ValidationPipe check the event against the parameter's class", async () => {
    class Handlers {
      @UsePipes(new ValidationPipe({ transform: true, whitelist: true, forbidNonWhitelisted: true }))
      @OnScalekitEvent('user.created')
      created(event: UserCreatedEvent, delivery: ScalekitDelivery) {
        seen.push(event.constructor, delivery.attempt);
      }
    }

    expect(await deliver(Handlers)).toBe(201);
    expect(seen).toEqual([UserCreatedEvent, 1]);
  });

  it('pass only the event to the pipe of a handler with one parameter', async () => {
    class Peek implements PipeTransform {
      transform(value: { type: string }) {
        seen.push(value.type);
        return { ...value, type: 'changed by the pipe' };
      }
    }
    class Handlers {
      @UsePipes(Peek)
      @OnScalekitEvent('user.created')
      created(event: ScalekitEvent<'user.created'>) {
        seen.push(event.type);
      }
    }

    expect(await deliver(Handlers)).toBe(201);
    expect(seen).toEqual(['user.created', 'changed by the pipe']);
  });

  it('answer 500 if a pipe throws a BadRequestException', async () => {
    class Refuse implements PipeTransform {
      transform(): never {
        throw new BadRequestException();
      }
    }
    class Handlers {
      @UsePipes(Refuse)
      @OnScalekitEvent('user.created')
      created() {
        seen.push('ran');
      }
    }

    expect(await deliver(Handlers)).toBe(500);
    expect(seen).toEqual([]);
  });
});
