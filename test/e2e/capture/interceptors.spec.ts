import { request, type ServerResponse } from 'node:http';
import { beforeEach, describe, expect, it } from '@jest/globals';
import {
  type CallHandler,
  type ExecutionContext,
  type INestApplication,
  type NestInterceptor,
  StreamableFile,
  UnauthorizedException,
} from '@nestjs/common';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import type { FastifyInstance } from 'fastify';
import { OnScalekitEvent, ScalekitWebhooksModule } from 'nestjs-scalekit-webhooks';
import { createScalekitEvent, ScalekitWebhookTester, signWebhook } from 'nestjs-scalekit-webhooks/testing';
import { catchError, EMPTY, finalize, map, NEVER, type Observable, of, tap } from 'rxjs';
import { CapturedLogger } from '../../helpers/captured-logger.js';
import { deferred } from '../../helpers/deferred.js';
import { portOf } from '../../helpers/raw-request.js';
import { run } from '../../helpers/running-app.js';
import { ADAPTERS, type AdapterFactory, SECRET } from '../../helpers/test-app.js';
import { until } from '../../helpers/until.js';

const UNAVAILABLE = { status: 503, body: { received: false } };
const PROCESSED = { status: 201, body: { received: true, status: 'processed' } };
const anEvent = () => createScalekitEvent('user.created');

let ran = 0;
beforeEach(() => {
  ran = 0;
});

class Handlers {
  @OnScalekitEvent('user.created')
  created() {
    ran += 1;
  }

  @OnScalekitEvent('user.deleted')
  deleted() {
    throw new Error('broken');
  }
}

const nodeResponse = (context: ExecutionContext): ServerResponse => {
  const response = context.switchToHttp().getResponse();
  return response.raw ?? response;
};

type Intercept = (next: CallHandler, context: ExecutionContext) => Observable<unknown>;

const interceptor = (intercept: Intercept): NestInterceptor => ({
  intercept: (context, next) => intercept(next, context),
});

async function start(adapter: AdapterFactory, configure: (host: INestApplication) => unknown) {
  const logger = new CapturedLogger();
  const imports = [ScalekitWebhooksModule.forRoot({ signingSecret: SECRET })];
  const app = await run(adapter, { imports, providers: [Handlers] }, (host) => void configure(host), {
    logger,
  });
  return { app, logger, scalekit: new ScalekitWebhookTester(app) };
}

const intercepted = (adapter: AdapterFactory, intercept: Intercept) =>
  start(adapter, (host) => host.useGlobalInterceptors(interceptor(intercept)));

describe.each(ADAPTERS)('A global interceptor, on %s,', (_name, adapter) => {
  it.each<[string, Intercept]>([
    ['answers by itself', () => of({ maintenance: true })],
    ['answers with nothing', () => of(undefined)],
    ['answers later', () => of(1).pipe(map(async () => 'later'))],
    ['completes without an answer', () => EMPTY],
    [
      'throws',
      () => {
        throw new UnauthorizedException('not for you');
      },
    ],
    [
      'sets the status of a success',
      (_next, context) => {
        context.switchToHttp().getResponse().status(200);
        return of('ok');
      },
    ],
  ])('that %s leaves neither the request open nor the event acknowledged', async (_what, intercept) => {
    const { scalekit, logger } = await intercepted(adapter, intercept);

    expect(await scalekit.deliver(anEvent())).toMatchObject(UNAVAILABLE);
    expect(ran).toBe(0);
    expect(logger.ours('warn')).toEqual([expect.stringContaining('next.handle()')]);
  });

  it.each<[string, Intercept]>([
    ['a stream', () => of(new StreamableFile(Buffer.from('ok')))],
    [
      "Node's response",
      (_next, context) => {
        nodeResponse(context).end('ok');
        return NEVER;
      },
    ],
    [
      'a status that it writes itself',
      (_next, context) => {
        nodeResponse(context).writeHead(200, 'Fine', { 'x-by': 'hand' }).end('ok');
        return NEVER;
      },
    ],
    [
      'a status that it sets itself',
      (_next, context) => {
        nodeResponse(context).statusCode = 204;
        nodeResponse(context).end();
        return of('ok');
      },
    ],
    [
      "a reply that it takes from Fastify, or Node's response",
      (_next, context) => {
        context.switchToHttp().getResponse().hijack?.();
        nodeResponse(context).writeHead(202);
        nodeResponse(context).end('ok');
        return EMPTY;
      },
    ],
  ])('that answers with %s cannot make it a success', async (_what, intercept) => {
    const { scalekit, logger } = await intercepted(adapter, intercept);

    expect((await scalekit.deliver(anEvent())).status).toBe(503);
    expect(logger.ours('warn')).toEqual([expect.stringContaining('next.handle()')]);
  });

  it('that writes a status before the handlers run cannot make it a success', async () => {
    const { scalekit } = await intercepted(adapter, (next, context) => {
      nodeResponse(context).writeHead(200).end('ok');
      return next.handle();
    });

    expect((await scalekit.deliver(anEvent())).status).toBe(503);
    expect(ran).toBe(1);
  });

  it.each<[string, Intercept]>([
    ['replaces the result', (next) => next.handle().pipe(map(() => ({ data: 'else' })))],
    ['throws afterwards', (next) => next.handle().pipe(map(() => JSON.parse('no JSON')))],
    [
      'sets another status afterwards',
      (next, context) => next.handle().pipe(tap(() => context.switchToHttp().getResponse().status(418))),
    ],
    ['waits', (next) => next.handle().pipe(map(() => new Promise((resolve) => setImmediate(resolve))))],
  ])('that %s changes nothing', async (_what, intercept) => {
    const { scalekit } = await intercepted(adapter, intercept);

    expect(await scalekit.deliver(anEvent())).toMatchObject(PROCESSED);
    expect(await scalekit.deliver('no JSON')).toMatchObject({ status: 400, body: { received: false } });
    expect(ran).toBe(1);
  });

  it('that catches errors does not hide that a delivery was refused', async () => {
    const { scalekit } = await intercepted(adapter, (next) =>
      next.handle().pipe(catchError(() => of('fine'))),
    );

    expect(await scalekit.deliver('no JSON')).toMatchObject({ status: 400, body: { received: false } });
  });

  it('that takes the reply from Fastify gets the answer of the handlers sent', async () => {
    const { scalekit } = await intercepted(adapter, (next, context) => {
      context.switchToHttp().getResponse().hijack?.();
      return next.handle();
    });

    expect(await scalekit.deliver(anEvent())).toMatchObject(PROCESSED);
    expect(await scalekit.deliver('no JSON')).toMatchObject({ status: 400, body: { received: false } });
  });

  it('is told when the handlers are done', async () => {
    const done = deferred();
    const { scalekit } = await intercepted(adapter, (next) =>
      next.handle().pipe(finalize(() => done.resolve())),
    );

    await scalekit.deliver(anEvent());
    await done.promise;

    expect(ran).toBe(1);
  });

  it('sees no strangers', async () => {
    const { scalekit, logger } = await intercepted(adapter, () => of('ok'));

    expect((await scalekit.withForgedSignature(anEvent())).status).toBe(401);
    expect(logger.ours('warn')).toEqual([expect.stringContaining('signature_mismatch')]);
  });

  it('and access logs see the status that is sent', async () => {
    const seen: unknown[] = [];
    const { scalekit } = await start(adapter, (host) => {
      host.use(
        (
          _request: unknown,
          response: { once(event: string, run: () => void): void; statusCode: number },
          next: () => void,
        ) => {
          response.once('finish', () => seen.push(response.statusCode));
          next();
        },
      );
    });

    await scalekit.deliver(anEvent());
    await scalekit.deliver('no JSON');

    expect(seen).toEqual([201, 400]);
  });
});

describe.each(ADAPTERS)(
  'A success that the application has sent before the guard, on %s,',
  (_name, adapter) => {
    it('is an error in the log, once, and not for strangers', async () => {
      const sent: ServerResponse[] = [];
      const { scalekit, logger } = await start(adapter, (host) => {
        host.useGlobalGuards({
          canActivate: (context) => {
            const response = nodeResponse(context);
            response.write('ok');
            return sent.push(response) > 0;
          },
        });
      });
      const deliver = async (delivering: Promise<{ status: number }>, runs: number) => {
        await until(
          () => sent,
          ({ length }) => length > 0,
        );
        await until(
          () => ran,
          (count) => count === runs,
        );
        sent.pop()?.end();
        return (await delivering).status;
      };

      expect(await deliver(scalekit.withForgedSignature(anEvent()), 0)).toBe(200);
      expect(logger.ours('error')).toEqual([]);
      expect(await deliver(scalekit.deliver(anEvent()), 1)).toBe(200);
      expect(await deliver(scalekit.deliver(anEvent()), 2)).toBe(200);
      expect(logger.ours('error')).toEqual([expect.stringContaining('answered a signed delivery with 200')]);
    });

    it('is ended after the delivery if the application has not ended it', async () => {
      const { scalekit } = await start(adapter, (host) => {
        host.useGlobalGuards({ canActivate: (context) => nodeResponse(context).write('ok') });
      });

      expect((await scalekit.deliver(anEvent())).status).toBe(200);
    });
  },
);

describe('An onSend hook of Fastify', () => {
  const adapter = () => new FastifyAdapter();
  const withHook = (hook: () => Promise<void>) =>
    start(adapter, (host) => {
      const instance: FastifyInstance = host.getHttpAdapter().getInstance();
      instance.addHook('onSend', hook);
    });

  it('that sends a success itself cannot replace a refusal', async () => {
    const { scalekit } = await start(adapter, (host) => {
      const instance: FastifyInstance = host.getHttpAdapter().getInstance();
      instance.addHook('onSend', async (_request, reply) => {
        if (reply.statusCode === 500) reply.raw.writeHead(200).end('ok');
      });
      host.useGlobalInterceptors(interceptor((next) => next.handle()));
    });

    expect((await scalekit.deliver(createScalekitEvent('user.deleted'))).status).toBe(500);
  });

  it('that takes its time runs once, and changes nothing', async () => {
    let count = 0;
    const { scalekit } = await withHook(async () => {
      count += 1;
      await new Promise(setImmediate);
    });

    expect(await scalekit.deliver(anEvent())).toMatchObject(PROCESSED);
    expect(count).toBe(1);
  });

  it('that fails leaves no request open', async () => {
    let count = 0;
    const { scalekit } = await withHook(async () => {
      await new Promise(setImmediate);
      count += 1;
      if (count === 1) throw new Error('of the hook');
    });

    expect((await scalekit.deliver(anEvent())).status).toBe(500);
    expect((await scalekit.deliver(anEvent())).status).toBe(201);
  });
});

describe.each(ADAPTERS)('A client that leaves before the answer, on %s,', (_name, adapter) => {
  it('keeps nothing waiting', async () => {
    const [started, gate, ended] = [deferred(), deferred(), deferred()];
    class Slow {
      @OnScalekitEvent('user.created')
      async created() {
        started.resolve();
        await gate.promise;
      }
    }
    const imports = [ScalekitWebhooksModule.forRoot({ signingSecret: SECRET })];
    const app = await run(adapter, { imports, providers: [Slow] }, (host) =>
      host.useGlobalInterceptors(interceptor((next) => next.handle().pipe(finalize(() => ended.resolve())))),
    );
    const payload = JSON.stringify(anEvent());
    const headers = { 'content-type': 'application/json', ...signWebhook({ payload, secret: SECRET }) };
    const outgoing = request({ port: portOf(app), method: 'POST', path: '/webhooks/scalekit', headers });
    outgoing.on('error', () => {});
    outgoing.end(payload);
    await started.promise;
    const closed = new Promise((resolve) => outgoing.once('close', resolve));
    outgoing.destroy();
    await closed;
    gate.resolve();

    await ended.promise;
  });
});
