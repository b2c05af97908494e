import { createHook } from 'node:async_hooks';
import { once } from 'node:events';
import { type ClientRequest, type OutgoingHttpHeaders, request } from 'node:http';
import { brotliCompressSync } from 'node:zlib';
import { describe, expect, it } from '@jest/globals';
import type { INestApplication } from '@nestjs/common';
import { ScalekitWebhooksModule, type ScalekitWebhooksOptions } from 'nestjs-scalekit-webhooks';
import { createScalekitEvent, signWebhook } from 'nestjs-scalekit-webhooks/testing';
import { cleanUpAfterTest } from '../../helpers/cleanup.js';
import { PlainHandlers } from '../../helpers/plain-endpoint.js';
import { portOf, send } from '../../helpers/raw-request.js';
import { run } from '../../helpers/running-app.js';
import { ADAPTERS, SECRET } from '../../helpers/test-app.js';
import { until } from '../../helpers/until.js';

const JSON_TYPE = { 'content-type': 'application/json' };
const payload = JSON.stringify(createScalekitEvent('user.created'));
const SIGNED = { ...JSON_TYPE, ...signWebhook({ payload, secret: SECRET }) };

/** Sends the beginning of a request, and no more. */
function withhold(
  app: INestApplication,
  path: string,
  headers: OutgoingHttpHeaders,
  body = Buffer.from('{'),
): ClientRequest {
  const outgoing = request({
    host: '127.0.0.1',
    port: portOf(app),
    path,
    method: 'POST',
    headers,
    agent: false,
  });
  outgoing.on('error', () => {});
  outgoing.write(body);
  cleanUpAfterTest(() => outgoing.destroy());
  return outgoing;
}

describe.each(ADAPTERS)('A request whose body does not come, on %s,', (_name, adapter) => {
  const start = (options: ScalekitWebhooksOptions = {}) =>
    run(adapter, {
      imports: [ScalekitWebhooksModule.forRoot({ signingSecret: SECRET, ...options })],
      providers: [PlainHandlers],
    });

  async function statusWithoutBody(headers: OutgoingHttpHeaders): Promise<number> {
    const [response] = await once(withhold(await start(), '/webhooks/scalekit', headers), 'response');
    return response.statusCode;
  }

  it.each([
    ['without signature headers', JSON_TYPE],
    ['with some of them', { ...JSON_TYPE, 'webhook-id': 'msg_1', 'webhook-timestamp': '1' }],
    ['with empty ones', { ...SIGNED, 'webhook-id': '' }],
    ['compressed', { ...JSON_TYPE, 'content-encoding': 'br' }],
    ['with a length', { ...JSON_TYPE, 'content-length': '1000' }],
  ])('is refused with 401 if it comes %s', async (_how, headers) => {
    expect(await statusWithoutBody(headers)).toBe(401);
  });

  it.each([
    ['another type', { 'content-type': 'text/plain' }, 415],
    ['an unknown encoding', { 'content-encoding': 'zstd' }, 415],
    ['a length beyond the limit', { 'content-length': String(1024 * 1024 + 1) }, 413],
    [
      'a length beyond the limit, compressed',
      { 'content-length': '10000000', 'content-encoding': 'gzip' },
      413,
    ],
  ])('is refused at once if it looks signed and has %s', async (_what, headers, status) => {
    expect(await statusWithoutBody({ ...SIGNED, ...headers })).toBe(status);
  });

  it('is refused as soon as it is too large', async () => {
    const app = await start({ maxBodyBytes: 1000 });

    const [response] = await once(
      withhold(app, '/webhooks/scalekit', SIGNED, Buffer.alloc(1001)),
      'response',
    );

    expect(response.statusCode).toBe(413);
  });

  it('is left to a verifier of the application, whatever its headers are', async () => {
    const app = await start({ verifier: ({ headers }) => headers['x-signature'] === 'mine' });

    const answer = async (headers: OutgoingHttpHeaders) =>
      (await send(app, { headers: { ...JSON_TYPE, ...headers }, body: payload })).status;

    expect(await answer({ 'x-signature': 'mine' })).toBe(201);
    expect(await answer({ 'x-signature': 'other' })).toBe(401);
  });

  it('is not decompressed, so that it takes no more memory than its bytes', async () => {
    const app = await start();
    let decoders = 0;
    const hook = createHook({
      init: (_id, type) => {
        if (type === 'ZLIB') decoders += 1;
      },
    }).enable();
    cleanUpAfterTest(() => hook.disable());
    let arrived = 0;
    app.getHttpServer().on('request', () => {
      arrived += 1;
    });
    const body = brotliCompressSync(payload);
    const headers = { ...SIGNED, 'content-encoding': 'br' };
    decoders = 0;

    for (let count = 0; count < 10; count += 1) {
      withhold(app, '/webhooks/scalekit', { ...headers, 'content-length': '1000' }, body);
    }
    await until(
      () => arrived,
      (count) => count === 10,
    );
    expect((await send(app, { headers, body })).status).toBe(201);

    // That of the one request which is complete.
    expect(decoders).toBe(1);
  });
});
