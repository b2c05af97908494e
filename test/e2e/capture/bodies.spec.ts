import { once } from 'node:events';
import { request } from 'node:http';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { describe, expect, it } from '@jest/globals';
import { OnScalekitEvent, ScalekitWebhooksModule } from 'nestjs-scalekit-webhooks';
import { createScalekitEvent, signWebhook } from 'nestjs-scalekit-webhooks/testing';
import { CapturedLogger } from '../../helpers/captured-logger.js';
import { portOf, type RawRequest, send } from '../../helpers/raw-request.js';
import { run } from '../../helpers/running-app.js';
import { ADAPTERS, SECRET } from '../../helpers/test-app.js';

const MIB = 1024 * 1024;
const JSON_TYPE = { 'content-type': 'application/json' };
const PROCESSED = { status: 201, text: '{"received":true,"status":"processed"}' };
const REFUSED = '{"received":false}';

class Handlers {
  @OnScalekitEvent('user.created')
  created() {}
}

const payloadOf = () => Buffer.from(JSON.stringify(createScalekitEvent('user.created')));
const signed = (payload: Uint8Array) => ({ ...JSON_TYPE, ...signWebhook({ payload, secret: SECRET }) });

/** An event of an exact size: JSON may end in as much white space as one likes. */
function ofSize(bytes: number): Buffer {
  return Buffer.concat([payloadOf(), Buffer.alloc(bytes - payloadOf().length, ' ')], bytes);
}

describe.each(ADAPTERS)('the bodies of deliveries, on %s', (_name, adapter) => {
  async function start(options: { maxBodyBytes?: number } = {}) {
    const logger = new CapturedLogger();
    const app = await run(
      adapter,
      {
        imports: [ScalekitWebhooksModule.forRoot({ signingSecret: SECRET, ...options })],
        providers: [Handlers],
      },
      undefined,
      { logger },
    );
    return { app, logger };
  }

  async function answerTo(delivery: RawRequest, options?: { maxBodyBytes?: number }) {
    const { app } = await start(options);
    const { status, text } = await send(app, delivery);
    return { status, text };
  }

  describe('of content types', () => {
    it.each([
      'application/json',
      'application/json; charset=utf-8',
      'Application/JSON ;charset="UTF-8"',
      'application/vnd.scalekit.event+json',
    ])('%s is accepted', async (type) => {
      const body = payloadOf();

      expect(await answerTo({ headers: { ...signed(body), 'content-type': type }, body })).toEqual(PROCESSED);
    });

    it.each([
      'text/plain',
      'application/x-www-form-urlencoded',
      'application/jsonp',
      'multipart/form-data',
      '',
    ])('"%s" is refused with 415 when signed, and otherwise with 401', async (type) => {
      const body = payloadOf();

      expect(await answerTo({ headers: { ...signed(body), 'content-type': type }, body })).toEqual({
        status: 415,
        text: REFUSED,
      });
      expect(await answerTo({ headers: { 'content-type': type }, body })).toEqual({
        status: 401,
        text: REFUSED,
      });
    });

    it('none is refused with 415', async () => {
      const body = payloadOf();
      const headers = signWebhook({ payload: body, secret: SECRET });

      expect(await answerTo({ headers, body })).toEqual({ status: 415, text: REFUSED });
    });
  });

  describe('of content encodings', () => {
    it.each([
      ['gzip', gzipSync],
      ['x-gzip', gzipSync],
      ['GZIP', gzipSync],
      ['deflate', deflateSync],
      ['br', brotliCompressSync],
      ['identity', (bytes: Buffer) => bytes],
    ] as const)('%s is verified by what was signed before it was compressed', async (encoding, compress) => {
      const payload = payloadOf();
      const body = compress(payload);
      const headers = { ...signed(payload), 'content-encoding': encoding, 'content-length': body.length };

      expect(await answerTo({ headers, body })).toEqual(PROCESSED);
    });

    it.each(['zstd', 'gzip, gzip', 'toString', 'constructor'])('%s is refused with 415', async (encoding) => {
      const body = payloadOf();
      const headers = { ...signed(body), 'content-encoding': encoding };

      expect(await answerTo({ headers, body })).toEqual({ status: 415, text: REFUSED });
    });

    const CODECS: readonly (readonly [encoding: string, compress: (bytes: Buffer) => Buffer])[] = [
      ['gzip', gzipSync],
      ['deflate', deflateSync],
      ['br', brotliCompressSync],
    ];

    const DAMAGES: readonly (readonly [how: string, damage: (bytes: Buffer) => Buffer])[] = [
      ['followed by a letter', (bytes) => Buffer.concat([bytes, Buffer.from('x')])],
      ['followed by a zero byte', (bytes) => Buffer.concat([bytes, Buffer.alloc(1)])],
      ['followed by much else', (bytes) => Buffer.concat([bytes, Buffer.alloc(100_000, 'x')])],
      ['one byte short', (bytes) => bytes.subarray(0, -1)],
      ['empty', () => Buffer.alloc(0)],
    ];

    describe.each(CODECS)('%s', (encoding, compress) => {
      it.each(DAMAGES)('that is %s is refused with 400', async (_how, damage) => {
        const payload = payloadOf();
        const headers = { ...signed(payload), 'content-encoding': encoding };

        expect(await answerTo({ headers, body: damage(compress(payload)) })).toEqual({
          status: 400,
          text: REFUSED,
        });
      });
    });

    it('gzip in several members is verified as a whole', async () => {
      const payload = payloadOf();
      const headers = { ...signed(payload), 'content-encoding': 'gzip' };
      const members = [payload.subarray(0, 10), payload.subarray(10)].map((part) => gzipSync(part));

      expect(await answerTo({ headers, body: Buffer.concat(members) })).toEqual(PROCESSED);
    });

    it.each([
      ['corrupt', (bytes: Buffer) => Buffer.concat([bytes.subarray(0, 20), Buffer.from('corrupt')])],
      ['cut off', (bytes: Buffer) => bytes.subarray(0, bytes.length - 10)],
      ['not gzip at all', () => payloadOf()],
    ])('gzip that is %s is refused with 400', async (_how, damage) => {
      const payload = payloadOf();
      const body = damage(gzipSync(payload));
      const headers = { ...signed(payload), 'content-encoding': 'gzip' };

      expect(await answerTo({ headers, body })).toEqual({ status: 400, text: REFUSED });
    });

    it('gzip that expands beyond the limit is refused with 413', async () => {
      const payload = Buffer.alloc(50 * MIB, ' ');
      const headers = { ...signed(payload), 'content-encoding': 'gzip' };

      expect(await answerTo({ headers, body: gzipSync(payload) })).toEqual({ status: 413, text: REFUSED });
    });
  });

  describe('of sizes', () => {
    it('up to exactly maxBodyBytes, 1 MiB, are accepted', async () => {
      const body = ofSize(MIB);

      expect(await answerTo({ headers: signed(body), body })).toEqual(PROCESSED);
    });

    it.each([
      ['with a length', (bytes: Buffer) => bytes],
      ['in chunks', (bytes: Buffer) => [bytes.subarray(0, MIB), bytes.subarray(MIB)]],
    ])('one byte beyond it, %s, are refused with 413', async (_how, chunked) => {
      const body = ofSize(MIB + 1);

      expect(await answerTo({ headers: signed(body), body: chunked(body) })).toEqual({
        status: 413,
        text: REFUSED,
      });
    });

    it("beyond the platform's own limits are accepted where maxBodyBytes says so", async () => {
      const body = ofSize(3 * MIB);

      expect(await answerTo({ headers: signed(body), body }, { maxBodyBytes: 3 * MIB })).toEqual(PROCESSED);
    });

    it('beyond a smaller maxBodyBytes are refused with 413', async () => {
      const body = ofSize(2000);

      expect(await answerTo({ headers: signed(body), body }, { maxBodyBytes: 1999 })).toEqual({
        status: 413,
        text: REFUSED,
      });
    });

    it('in chunks without a length are accepted', async () => {
      const body = payloadOf();
      const chunks = [body.subarray(0, 10), body.subarray(10, 11), body.subarray(11)];

      expect(await answerTo({ headers: signed(body), body: chunks })).toEqual(PROCESSED);
    });

    it.each([
      ['a length of 0', { 'content-length': '0' }],
      ['no chunks', { 'transfer-encoding': 'chunked' }],
    ])('of nothing, with %s, are refused with 400 when signed', async (_how, headers) => {
      const body = Buffer.alloc(0);

      expect(await answerTo({ headers: { ...signed(body), ...headers }, body })).toEqual({
        status: 400,
        text: REFUSED,
      });
    });

    it('of nothing are refused with 401 when not signed', async () => {
      expect(await answerTo({ headers: JSON_TYPE })).toEqual({ status: 401, text: REFUSED });
    });
  });

  it.each([
    ['that are not UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d])],
    ['that are not JSON', Buffer.from('{"id":')],
    ['that are no object', Buffer.from('[]')],
    ['that would set a prototype', Buffer.from('{"__proto__":{"type":"user.created"}}')],
  ])('%s are refused with 400 when signed', async (_how, body) => {
    expect(await answerTo({ headers: signed(body), body })).toEqual({ status: 400, text: REFUSED });
  });

  it('that break off do no harm to the next delivery', async () => {
    const { app, logger } = await start();
    const body = payloadOf();
    const headers = { ...signed(body), 'content-length': body.length };
    const aborted = request({ port: portOf(app), method: 'POST', path: '/webhooks/scalekit', headers });
    const arrived = once(app.getHttpServer(), 'request');
    aborted.on('error', () => {});
    aborted.write(body.subarray(0, 10));
    const [incoming] = await arrived;
    const broken = new Promise((resolve) => incoming.once('close', resolve));
    aborted.destroy();
    await broken;

    const { status } = await send(app, { headers: signed(body), body });

    expect(status).toBe(201);
    expect(logger.lines.filter(({ context }) => context === 'ExceptionsHandler')).toEqual([]);
  });
});
