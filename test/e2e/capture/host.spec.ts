import { beforeEach, describe, expect, it } from '@jest/globals';
import {
  ArgumentsHost,
  CallHandler,
  CanActivate,
  Catch,
  type DynamicModule,
  ExceptionFilter,
  ExecutionContext,
  type INestApplication,
  Injectable,
  NestInterceptor,
  PipeTransform,
  type Provider,
  SetMetadata,
  UnauthorizedException,
  ValidationPipe,
} from '@nestjs/common';
import { APP_FILTER, APP_GUARD, APP_INTERCEPTOR, APP_PIPE, HttpAdapterHost, Reflector } from '@nestjs/core';
import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger';
import type { Response } from 'express';
import type { FastifyReply } from 'fastify';
import helmet from 'helmet';
import {
  NonRetryableEventError,
  OnScalekitEvent,
  type ScalekitEvent,
  type ScalekitWebhooksEndpointOptions,
  ScalekitWebhooksModule,
} from 'nestjs-scalekit-webhooks';
import { createScalekitEvent, ScalekitWebhookTester } from 'nestjs-scalekit-webhooks/testing';
import { map } from 'rxjs';
import { SkipThrottle, ThrottlerGuard, ThrottlerModule } from '../../helpers/nestjs-throttler.js';
import { run } from '../../helpers/running-app.js';
import { ADAPTERS, SECRET } from '../../helpers/test-app.js';

const ran: string[] = [];
beforeEach(() => {
  ran.length = 0;
});

class Handlers {
  @OnScalekitEvent('user.created')
  created(event: ScalekitEvent<'user.created'>) {
    ran.push(event.type);
  }

  @OnScalekitEvent('user.updated')
  updated() {
    throw new Error('of the handler');
  }

  @OnScalekitEvent('user.deleted')
  deleted() {
    throw new NonRetryableEventError('of the handler');
  }
}

const Public = () => SetMetadata('public', true);

@Injectable()
class AuthGuard implements CanActivate {
  constructor(private readonly reflector: Reflector) {}

  canActivate(context: ExecutionContext): boolean {
    ran.push(`guard in ${context.getType<string>()}`);
    const targets = [context.getHandler(), context.getClass()];
    if (this.reflector.getAllAndOverride<boolean>('public', targets)) return true;
    throw new UnauthorizedException('log in first');
  }
}

@Injectable()
class WrapInterceptor implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler) {
    ran.push(`interceptor in ${context.getType<string>()}`);
    return next.handle().pipe(map((data) => ({ data })));
  }
}

@Catch()
@Injectable()
class CatchAllFilter implements ExceptionFilter {
  constructor(private readonly adapterHost: HttpAdapterHost) {}

  catch(_error: unknown, host: ArgumentsHost) {
    ran.push(`filter in ${host.getType<string>()}`);
    this.adapterHost.httpAdapter.reply(host.switchToHttp().getResponse(), { caught: true }, 418);
  }
}

@Injectable()
class FreezePipe implements PipeTransform {
  transform() {
    ran.push('pipe');
    return {};
  }
}

/** What each outcome looks like to Scalekit: the same whatever the host does globally. */
const EXPECTED = {
  processed: { status: 201, body: { received: true, status: 'processed' } },
  ignored: { status: 200, body: { received: true, status: 'ignored' } },
  failed: { status: 500, body: { received: false } },
  unprocessable: { status: 422, body: { received: false } },
  unauthenticated: { status: 401, body: { received: false } },
  invalid_event: { status: 400, body: { received: false } },
  unsupported_media_type: { status: 415, body: { received: false } },
};

async function outcomes(app: INestApplication) {
  const scalekit = new ScalekitWebhookTester(app);
  const answers = {
    processed: await scalekit.deliver(createScalekitEvent('user.created')),
    ignored: await scalekit.deliver(createScalekitEvent('role.created')),
    failed: await scalekit.deliver(createScalekitEvent('user.updated')),
    unprocessable: await scalekit.deliver(createScalekitEvent('user.deleted')),
    unauthenticated: await scalekit.withForgedSignature(createScalekitEvent('user.created')),
    invalid_event: await scalekit.deliver('no JSON'),
    unsupported_media_type: await scalekit.deliver('{}', { headers: { 'content-type': 'text/plain' } }),
  };
  return Object.fromEntries(
    Object.entries(answers).map(([outcome, { status, body }]) => [outcome, { status, body }]),
  );
}

function sendAllAsHtml(app: INestApplication): void {
  const instance = app.getHttpAdapter().getInstance();
  if (app.getHttpAdapter().getType() === 'fastify') {
    instance.addHook('onRequest', (_request: unknown, reply: FastifyReply, done: () => void) => {
      reply.type('text/html');
      done();
    });
  } else {
    app.use((_request: unknown, response: Response, next: () => void) => {
      response.type('text/html');
      next();
    });
  }
}

describe.each(ADAPTERS)('a host with global enhancers, on %s', (_name, adapter) => {
  function start(
    providers: Provider[],
    configure: (app: INestApplication) => void = () => {},
    options: ScalekitWebhooksEndpointOptions = {},
    imports: DynamicModule[] = [],
  ) {
    const webhooks = ScalekitWebhooksModule.forRoot({ signingSecret: SECRET, ...options });
    return run(adapter, { imports: [webhooks, ...imports], providers: [Handlers, ...providers] }, configure);
  }

  const GUARDS: [string, Provider[], (app: INestApplication) => void][] = [
    ['APP_GUARD', [{ provide: APP_GUARD, useClass: AuthGuard }], () => {}],
    ['useGlobalGuards', [], (app) => app.useGlobalGuards(new AuthGuard(app.get(Reflector)))],
  ];

  it.each(GUARDS)(
    'is refused by its %s where the endpoint is not public',
    async (_how, providers, configure) => {
      const app = await start(providers, configure);

      const { status } = await new ScalekitWebhookTester(app).deliver(createScalekitEvent('user.created'));

      expect(status).toBe(401);
      expect(ran).toEqual(['guard in http']);
    },
  );

  it.each(GUARDS)('passes its %s by controllerDecorators', async (_how, providers, configure) => {
    const app = await start(providers, configure, { controllerDecorators: [Public()] });

    expect(await outcomes(app)).toEqual(EXPECTED);
    expect(ran).not.toContain('guard in scalekit-webhook');
  });

  const ENHANCERS: [string, Provider[], (app: INestApplication) => void][] = [
    [
      'a strict ValidationPipe',
      [],
      (app) =>
        app.useGlobalPipes(
          new ValidationPipe({
            whitelist: true,
            forbidNonWhitelisted: true,
            forbidUnknownValues: true,
            transform: true,
          }),
        ),
    ],
    [
      'a ValidationPipe as APP_PIPE',
      [{ provide: APP_PIPE, useValue: new ValidationPipe({ whitelist: true, forbidNonWhitelisted: true }) }],
      () => {},
    ],
    ['a pipe that replaces what it gets', [{ provide: APP_PIPE, useClass: FreezePipe }], () => {}],
    [
      'an interceptor that wraps what is answered',
      [{ provide: APP_INTERCEPTOR, useClass: WrapInterceptor }],
      () => {},
    ],
    ['a filter that catches all', [{ provide: APP_FILTER, useClass: CatchAllFilter }], () => {}],
    ['helmet', [], (app) => app.use(helmet())],
    ['CORS', [], (app) => app.enableCors({ origin: 'https://app.example.com', credentials: true })],
  ];

  it.each(ENHANCERS)('changes no answer by %s', async (_what, providers, configure) => {
    const app = await start(providers, configure);

    expect(await outcomes(app)).toEqual(EXPECTED);
  });

  it('changes no answer by a type of its own for all that it sends', async () => {
    const app = await start([], (host) => sendAllAsHtml(host));

    expect(await outcomes(app)).toEqual(EXPECTED);
  });

  it.each(ENHANCERS)('does not reach into handlers by %s', async (_what, providers, configure) => {
    const app = await start(providers, configure);

    await outcomes(app);

    expect(ran).toContain('user.created');
    expect(ran.filter((text) => text.endsWith('in scalekit-webhook'))).toEqual([]);
  });

  describe('by ThrottlerGuard', () => {
    const throttler = () => ThrottlerModule.forRoot([{ ttl: 60_000, limit: 1 }]);
    const guard = { provide: APP_GUARD, useClass: ThrottlerGuard };

    it('throttles the endpoint', async () => {
      const app = await start([guard], undefined, {}, [throttler()]);
      const scalekit = new ScalekitWebhookTester(app);

      const answers = [
        await scalekit.deliver(createScalekitEvent('user.created')),
        await scalekit.deliver(createScalekitEvent('user.created')),
      ];

      expect(answers.map(({ status }) => status)).toEqual([201, 429]);
    });

    it('leaves the endpoint alone with SkipThrottle', async () => {
      const app = await start([guard], undefined, { controllerDecorators: [SkipThrottle()] }, [throttler()]);

      expect(await outcomes(app)).toEqual(EXPECTED);
    });
  });

  it('can describe itself by Swagger', async () => {
    const app = await start([], (host) => {
      const document = SwaggerModule.createDocument(host, new DocumentBuilder().setTitle('host').build());
      expect(Object.keys(document.paths)).toEqual(['/webhooks/scalekit']);
    });

    expect(await outcomes(app)).toEqual(EXPECTED);
  });
});
