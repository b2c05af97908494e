import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { createGunzip, gzipSync } from 'node:zlib';
import { describe, expect, it } from '@jest/globals';
import type { INestApplication } from '@nestjs/common';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { type FastifyInstance, fastify, type preParsingHookHandler } from 'fastify';
import { createScalekitEvent, ScalekitWebhookTester, signWebhook } from 'nestjs-scalekit-webhooks/testing';
import { allowInject } from '../../helpers/fastify-inject.js';
import { aPlainEndpoint } from '../../helpers/plain-endpoint.js';
import { send } from '../../helpers/raw-request.js';
import { run } from '../../helpers/running-app.js';
import { SECRET } from '../../helpers/test-app.js';

type Prepare = (instance: FastifyInstance) => unknown;

const anEvent = () => createScalekitEvent('user.created');
const instanceOf = (host: INestApplication): FastifyInstance => host.getHttpAdapter().getInstance();

/** An application whose Fastify instance was prepared in main.ts, after Nest has created it. */
const preparedInMain = (prepare: Prepare) =>
  run(
    () => new FastifyAdapter(),
    aPlainEndpoint(),
    (host) => prepare(instanceOf(host)),
    { bodyParser: false },
  );

/** An application that was given a prepared Fastify instance. */
function preparedBefore(prepare: Prepare): Promise<INestApplication> {
  const instance = fastify();
  prepare(instance);
  // Nest's adapter is typed for its own copy of Fastify.
  return run(() => new FastifyAdapter(instance as never), aPlainEndpoint(), undefined, { bodyParser: false });
}

function signed(payload: string) {
  return { 'content-type': 'application/json', ...signWebhook({ payload, secret: SECRET }) };
}

type PreParsing = (
  request: unknown,
  reply: unknown,
  payload: Readable,
  done: (error: null, payload: Readable) => void,
) => unknown;
type Collect = (seen: string[]) => PreParsing;

/** preParsing hooks that collect the body. */
const COLLECTORS: readonly (readonly [how: string, collect: Collect])[] = [
  [
    'reads it and hands on a new stream',
    (seen) => async (_request, _reply, payload) => {
      const body = await text(payload);
      seen.push(body);
      return Readable.from([Buffer.from(body)]);
    },
  ],
  [
    'reads it and hands on nothing',
    (seen) => async (_request, _reply, payload) => {
      seen.push(await text(payload));
    },
  ],
  [
    'listens to it',
    (seen) => async (_request, _reply, payload) => {
      payload.on('data', (chunk: Buffer) => seen.push(chunk.toString()));
      return payload;
    },
  ],
  [
    "waits for 'end'",
    (seen) => (_request, _reply, payload, done) => {
      payload.on('data', (chunk: Buffer) => seen.push(chunk.toString()));
      payload.on('end', () => done(null, payload));
    },
  ],
];

const CONTENT_TYPE_PARSERS: readonly (readonly [which: string, add: Prepare])[] = [
  [
    'for every type',
    (instance) => {
      instance.addContentTypeParser('*', (_request, payload, done) => {
        text(payload).then((body) => done(null, body), done);
      });
    },
  ],
  ['for JSON, as text', (instance) => replaceJsonParser(instance, 'string')],
  ['for JSON, as a buffer of at most 10 bytes', (instance) => replaceJsonParser(instance, 'buffer', 10)],
];

function replaceJsonParser(
  instance: FastifyInstance,
  parseAs: 'string' | 'buffer',
  bodyLimit?: number,
): void {
  instance.removeContentTypeParser('application/json');
  instance.addContentTypeParser('application/json', { parseAs, bodyLimit }, (_request, body, done) => {
    done(null, JSON.parse(body.toString()));
  });
}

describe.each([
  ['its Fastify instance', preparedBefore],
  ['main.ts', preparedInMain],
])('On Fastify, a delivery is handled with what %s adds:', (_where, prepared) => {
  it.each(COLLECTORS)('a preParsing hook that %s', async (_how, collect) => {
    const app = await prepared((instance) =>
      instance.addHook('preParsing', collect([]) as preParsingHookHandler),
    );

    expect((await new ScalekitWebhookTester(app).deliver(anEvent())).status).toBe(201);
  });

  it('a preParsing hook that decompresses it', async () => {
    const app = await prepared((instance) =>
      instance.addHook('preParsing', async (_request, _reply, payload) => payload.pipe(createGunzip())),
    );
    const payload = JSON.stringify(anEvent());
    const headers = { ...signed(payload), 'content-encoding': 'gzip' };

    expect((await send(app, { headers, body: gzipSync(payload) })).status).toBe(201);
  });

  it.each(CONTENT_TYPE_PARSERS)('a content type parser %s', async (_which, add) => {
    const app = await prepared(add);

    expect((await new ScalekitWebhookTester(app).deliver(anEvent())).status).toBe(201);
  });
});

describe('On Fastify, a delivery', () => {
  it('is seen by a preParsing hook as it was sent', async () => {
    const seen: string[] = [];
    const app = await preparedInMain((instance) =>
      instance.addHook('preParsing', async (_request, _reply, payload) => {
        seen.push(await text(payload));
        return payload;
      }),
    );
    const body = JSON.stringify(anEvent());

    await new ScalekitWebhookTester(app).deliver(body);

    expect(seen).toEqual([body]);
  });

  it.each(COLLECTORS)('by inject() is handled where a preParsing hook %s', async (_how, collect) => {
    allowInject();
    const app = await preparedInMain((instance) =>
      instance.addHook('preParsing', collect([]) as preParsingHookHandler),
    );
    const payload = JSON.stringify(anEvent());

    const headers = signed(payload);
    const response = await instanceOf(app).inject({
      method: 'POST',
      url: '/webhooks/scalekit',
      headers,
      payload,
    });

    expect(response.statusCode).toBe(201);
  });

  it('has no body in request.body, but all of its headers, for the interceptors', async () => {
    const seen: unknown[] = [];
    const app = await run(
      () => new FastifyAdapter(),
      aPlainEndpoint(),
      (host) =>
        host.useGlobalInterceptors({
          intercept: (context, next) => {
            const { body, headers } = context.switchToHttp().getRequest();
            seen.push(body, headers['content-type']);
            return next.handle();
          },
        }),
    );

    await new ScalekitWebhookTester(app).deliver(anEvent());

    expect(seen).toEqual([undefined, 'application/json']);
  });
});
