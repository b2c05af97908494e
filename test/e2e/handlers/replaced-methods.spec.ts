import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import {
  CanActivate,
  Catch,
  ExceptionFilter,
  ExecutionContext,
  Injectable,
  NestInterceptor,
  PipeTransform,
  Scope,
  SetMetadata,
  type Type,
  UseFilters,
  UseGuards,
  UseInterceptors,
  UsePipes,
} from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { OnScalekitEvent, type ScalekitDelivery, ScalekitWebhooksModule } from 'nestjs-scalekit-webhooks';
import { createScalekitEvent, ScalekitWebhookTester } from 'nestjs-scalekit-webhooks/testing';
import { run } from '../../helpers/running-app.js';
import { ADAPTERS, SECRET } from '../../helpers/test-app.js';

const seen: string[] = [];
beforeEach(() => {
  seen.length = 0;
});
afterEach(() => {
  jest.restoreAllMocks();
});

@Injectable()
class RoleGuard implements CanActivate {
  constructor(private readonly reflector: Reflector) {}

  canActivate(context: ExecutionContext): boolean {
    seen.push(
      `guard of ${context.getHandler().name}: ${this.reflector.get<string>('role', context.getHandler())}`,
    );
    return true;
  }
}

class Surround implements NestInterceptor {
  intercept(_context: ExecutionContext, next: { handle(): never }) {
    seen.push('interceptor');
    return next.handle();
  }
}

class PassOn implements PipeTransform {
  transform(value: unknown) {
    seen.push('pipe');
    return value;
  }
}

@Catch()
class Report implements ExceptionFilter {
  catch(error: Error) {
    seen.push(`filter: ${error.message}`);
  }
}

class Plain {
  @OnScalekitEvent('user.created')
  created(_event: unknown, _delivery: ScalekitDelivery): unknown {
    return seen.push('original');
  }
}

class Enhanced {
  @SetMetadata('role', 'admin')
  @UseGuards(RoleGuard)
  @UseInterceptors(Surround)
  @UsePipes(PassOn)
  @UseFilters(Report)
  @OnScalekitEvent('user.created')
  created(_event: unknown, _delivery: ScalekitDelivery): unknown {
    return seen.push('original');
  }
}

@Injectable({ scope: Scope.REQUEST })
class RequestScoped extends Enhanced {
  @SetMetadata('role', 'admin')
  @UseGuards(RoleGuard)
  @UseInterceptors(Surround)
  @UsePipes(PassOn)
  @UseFilters(Report)
  @OnScalekitEvent('user.created')
  override created(_event: unknown, _delivery: ScalekitDelivery): unknown {
    return seen.push('original');
  }
}

const ENHANCERS = ['guard of created: admin', 'interceptor', 'pipe', 'pipe'];

describe.each(ADAPTERS)('a method that is replaced after the start, on %s', (_name, adapter) => {
  async function start(handlers: Type<object>) {
    const app = await run(adapter, {
      imports: [ScalekitWebhooksModule.forRoot({ signingSecret: SECRET })],
      providers: [handlers],
    });
    const scalekit = new ScalekitWebhookTester(app);
    const deliver = async () => (await scalekit.deliver(createScalekitEvent('user.created'))).status;
    return { app, deliver };
  }

  it('is called, with the event and the delivery, until it is restored', async () => {
    const { app, deliver } = await start(Plain);
    const spy = jest.spyOn(app.get(Plain), 'created').mockImplementation(() => seen.push('spy'));

    expect(await deliver()).toBe(201);
    expect(seen).toEqual(['spy']);
    expect(spy).toHaveBeenCalledWith(
      expect.objectContaining({ type: 'user.created' }),
      expect.objectContaining({ attempt: 1 }),
    );

    spy.mockRestore();
    await deliver();
    expect(seen).toEqual(['spy', 'original']);
  });

  it('is called with the handler as `this`', async () => {
    const { app, deliver } = await start(Plain);
    const spy = jest.spyOn(app.get(Plain), 'created');

    await deliver();
    expect(spy.mock.contexts).toEqual([app.get(Plain)]);
  });

  it.each([
    ['a singleton', Enhanced],
    ['a request-scoped provider', RequestScoped],
  ])(
    'of %s keeps its guards, interceptors, pipes and filters, and their metadata',
    async (_scope, handlers) => {
      const { deliver } = await start(handlers);
      const spy = jest.spyOn(handlers.prototype, 'created').mockImplementation(() => seen.push('spy'));

      expect(await deliver()).toBe(201);
      expect(seen).toEqual([...ENHANCERS, 'spy']);

      spy.mockImplementation(() => {
        throw new Error('broken');
      });
      expect(await deliver()).toBe(500);
      expect(seen.at(-1)).toBe('filter: broken');

      spy.mockRestore();
      seen.length = 0;
      expect(await deliver()).toBe(201);
      expect(seen).toEqual([...ENHANCERS, 'original']);
    },
  );

  it('may be one of a guard, an interceptor, a pipe or a filter', async () => {
    const { deliver } = await start(Enhanced);
    jest.spyOn(RoleGuard.prototype, 'canActivate').mockImplementation(() => seen.push('other guard') > 0);
    jest.spyOn(PassOn.prototype, 'transform').mockImplementation((value) => {
      seen.push('other pipe');
      return value;
    });
    jest.spyOn(Report.prototype, 'catch').mockImplementation(() => void seen.push('other filter'));
    jest.spyOn(Enhanced.prototype, 'created').mockImplementation(() => {
      throw new Error('broken');
    });

    await deliver();
    expect(seen).toEqual(['other guard', 'interceptor', 'other pipe', 'other pipe', 'other filter']);
  });

  it('may be bound in the constructor: its guards run', async () => {
    class Bound extends Enhanced {
      constructor() {
        super();
        this.created = this.created.bind(this);
      }
    }
    const { deliver } = await start(Bound);

    expect(await deliver()).toBe(201);
    expect(seen).toEqual([...ENHANCERS, 'original']);
  });

  it('is the one that guards see, unless it is replaced', async () => {
    const handlersSeen: unknown[] = [];
    jest.spyOn(RoleGuard.prototype, 'canActivate').mockImplementation((context) => {
      handlersSeen.push(context.getHandler());
      return true;
    });
    const { deliver } = await start(Enhanced);

    await deliver();
    expect(handlersSeen).toEqual([Enhanced.prototype.created]);
  });
});
