import {
  type CanActivate,
  Catch,
  Controller,
  type ExceptionFilter,
  Injectable,
  type NestInterceptor,
  type PipeTransform,
  Post,
  Query,
  Scope,
  UseFilters,
  UseGuards,
  UseInterceptors,
  UsePipes,
} from '@nestjs/common';
import {
  NonRetryableEventError,
  OnScalekitEvent,
  type ScalekitDelivery,
  type ScalekitEvent,
  ScalekitWebhooksModule,
  type ScalekitWebhooksOptions,
} from 'nestjs-scalekit-webhooks';
import { CapturedLogger } from '../../helpers/captured-logger.js';
import { SECRET } from '../../helpers/secrets.js';
import type { AdapterFactory, startApp } from '../../helpers/test-app.js';

@Injectable()
class Handlers {
  @OnScalekitEvent('user.created')
  plain(event: ScalekitEvent<'user.created'>): void {
    if (event.display_name === 'fail')
      throw new Error('broken', { cause: new AggregateError([new Error('part')]) });
    if (event.display_name === 'die') throw new NonRetryableEventError('no tenant');
    if (event.display_name === 'throw') throw { status: 500 };
  }

  @OnScalekitEvent('user.created', { timeoutMs: 5000 })
  async transactional(_event: ScalekitEvent<'user.created'>, delivery: ScalekitDelivery): Promise<void> {
    if (!delivery.idempotencyKey) throw new Error('there is no key');
    await delivery.transaction(async () => {}).catch(() => {});
  }
}

class Allow implements CanActivate, NestInterceptor, PipeTransform {
  canActivate = () => true;
  intercept = (_context: unknown, next: { handle(): never }) => next.handle();
  transform = (value: unknown) => value;
}

@Catch()
class Report implements ExceptionFilter {
  catch(): void {}
}

@Injectable({ scope: Scope.REQUEST })
@UseGuards(Allow)
@UseInterceptors(Allow)
@UsePipes(Allow)
@UseFilters(Report)
class PerEvent {
  @OnScalekitEvent('user.created')
  handle(event: ScalekitEvent<'user.created'>): void {
    if (event.display_name === 'fail') throw new Error('broken');
  }
}

/** A route with everything that a handler has. Where even this one does not work, nothing can be said about the endpoint. */
@Controller({ path: 'control', scope: Scope.REQUEST })
@UseGuards(Allow)
@UseInterceptors(Allow)
@UsePipes(Allow)
@UseFilters(Report)
class Control {
  @Post()
  answer(@Query('q') _query: string): object {
    return { ok: true };
  }
}

/** What starts an application with all kinds of handlers. */
export const start = (adapter: AdapterFactory, options: ScalekitWebhooksOptions) =>
  [
    adapter,
    {
      imports: [ScalekitWebhooksModule.forRoot({ signingSecret: SECRET, ...options })],
      controllers: [Control],
      providers: [Handlers, PerEvent],
    },
    undefined,
    // A request that a polluted prototype has broken may never end.
    { logger: new CapturedLogger(), forceCloseConnections: true },
  ] as const satisfies Parameters<typeof startApp>;
