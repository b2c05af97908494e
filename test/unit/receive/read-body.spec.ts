import { PassThrough, Readable } from 'node:stream';
import { inspect } from 'node:util';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from '@jest/globals';
import { CapturedBytes, readBody } from '../../../lib/receive/raw-body.js';

const TEXT = '{"id":"payload-marker"}';
const JSON_TYPE = { 'content-type': 'application/json' };
const GZIP = { ...JSON_TYPE, 'content-encoding': 'gzip' };

async function bytesOf(stream: Readable): Promise<string> {
  const body = await readBody(stream, JSON_TYPE, 1000);
  if (!(body instanceof CapturedBytes)) throw new Error('no bytes');
  return body.bytes.toString();
}

describe('readBody', () => {
  it.each<[string, () => unknown[]]>([
    ['one buffer', () => [Buffer.from(TEXT)]],
    ['many buffers', () => [...TEXT].map((character) => Buffer.from(character))],
    ['one text', () => [TEXT]],
    ['many texts', () => [...TEXT]],
    ['bytes that are no buffer', () => [new TextEncoder().encode(TEXT)]],
  ])('takes %s that a host put in the place of the request', async (_, chunks) => {
    expect(await bytesOf(Readable.from(chunks()))).toBe(TEXT);
  });

  it('takes a body of no bytes', async () => {
    expect(await bytesOf(Readable.from([]))).toBe('');
  });

  it.each([
    ['plain', JSON_TYPE],
    ['compressed', GZIP],
  ])('does not wait for a %s body that broke off before it was read', async (_, headers) => {
    const stream = new PassThrough();
    stream.destroy();

    expect(await readBody(stream, headers, 1000)).toEqual({ refusal: 'invalid_event' });
  });

  it.each([
    ['plain', JSON_TYPE],
    ['compressed', GZIP],
  ])('does not wait for a %s body that breaks off without an error', async (_, headers) => {
    const stream = new PassThrough();
    const body = readBody(stream, headers, 1000);
    stream.write(gzipSync(TEXT).subarray(0, 12));
    stream.destroy();

    expect(await body).toEqual({ refusal: 'invalid_event' });
  });

  it('lets go of what is left of a compressed body that is too large', async () => {
    const bomb = Readable.from([gzipSync(Buffer.alloc(10_000_000))]);

    expect(await readBody(bomb, GZIP, 1000)).toEqual({ refusal: 'body_too_large' });
  });

  it('gives bytes that do not show where a host logs its request', async () => {
    const body = await readBody(Readable.from([TEXT]), JSON_TYPE, 1000);

    const shown = [inspect({ body }, { showHidden: true, depth: 10 }), JSON.stringify({ body })].join();
    expect(shown).toContain('receivedAt');
    expect(shown).not.toMatch(/payload-marker|70 61 79 6c|112,97,121/);
  });
});
