import { PassThrough, Readable } from 'node:stream';
import { inspect } from 'node:util';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { describe, expect, it } from '@jest/globals';
import { CapturedBytes, decompress, peekBody } from '../../../lib/receive/raw-body.js';

const TEXT = '{"id":"payload-marker"}';

/** A stream that tells when it is complete, as Node's requests do. */
function request(): PassThrough & { complete: boolean } {
  return Object.assign(new PassThrough(), { complete: false });
}

async function textOf(stream: Readable): Promise<string> {
  return Buffer.concat((await stream.toArray()).map((chunk) => Buffer.from(chunk))).toString();
}

describe('peekBody', () => {
  it.each<[string, () => unknown[]]>([
    ['one buffer', () => [Buffer.from(TEXT)]],
    ['many buffers', () => [...TEXT].map((character) => Buffer.from(character))],
    ['no bytes', () => []],
  ])('reads %s to the end of a stream that does not tell when it is complete', async (_, chunks) => {
    const bytes = await peekBody(Readable.from(chunks(), { objectMode: false }), 1000);

    expect(bytes.toString()).toBe(chunks().join(''));
  });

  it.each<[string, string[]]>([
    ['one chunk', [TEXT]],
    ['chunks', [...TEXT]],
    ['no chunks', []],
  ])('puts a body of %s back for those who read it later', async (_, chunks) => {
    const stream = request();
    const peeking = peekBody(stream, 1000);
    for (const chunk of chunks) stream.write(chunk);
    stream.complete = true;
    stream.end();

    expect((await peeking).toString()).toBe(chunks.join(''));
    expect(await textOf(stream)).toBe(chunks.join(''));
  });

  it('reads and puts back a body that a serverless platform hands over once it is asked for', async () => {
    const stream = Object.assign(
      new Readable({
        read() {
          this.push(TEXT);
          this.push(null);
        },
      }),
      { complete: true },
    );

    expect((await peekBody(stream, 1000, TEXT.length)).toString()).toBe(TEXT);
    expect(await textOf(stream)).toBe(TEXT);
  });

  it('puts a body back as text where the application has set an encoding', async () => {
    const stream = request();
    stream.setEncoding('utf8');
    const peeking = peekBody(stream, 1000);
    stream.complete = true;
    stream.end('{"name":"Zoë"}');

    expect((await peeking).toString()).toBe('{"name":"Zoë"}');
    expect(await textOf(stream)).toBe('{"name":"Zoë"}');
  });

  it('waits for all bytes of a body, whose first ones take as much space in the encoding of the stream', async () => {
    const stream = request();
    stream.setEncoding('hex');
    stream.write(TEXT.slice(0, 11));
    const peeking = peekBody(stream, 1000, 22);
    await new Promise(setImmediate);
    stream.end(TEXT.slice(11, 22));

    expect((await peeking).toString()).toBe(TEXT.slice(0, 22));
  });

  it('takes not much more memory for a body that arrives byte by byte', async () => {
    const stream = new Readable({ read() {} });
    const peeking = peekBody(stream, 1e6);
    for (let count = 0; count < 5000; count += 1) {
      stream.push('x');
      await new Promise(setImmediate);
    }
    stream.push(null);

    expect(await peeking).toEqual(Buffer.alloc(5000, 'x'));
  });

  it('does not wait for a body that broke off before it was read', async () => {
    const stream = request();
    stream.destroy();

    await expect(peekBody(stream, 1000)).rejects.toMatchObject({ outcome: 'invalid_event' });
  });

  it('does not wait for a body that breaks off without an error', async () => {
    const stream = request();
    const peeking = peekBody(stream, 1000);
    stream.write('x');
    stream.destroy();

    await expect(peeking).rejects.toMatchObject({ outcome: 'invalid_event' });
  });

  it('stops at a body that is too large', async () => {
    const stream = request();
    const peeking = peekBody(stream, 1000);
    stream.write(Buffer.alloc(1001));

    await expect(peeking).rejects.toMatchObject({ outcome: 'body_too_large' });
    expect(stream.listenerCount('readable')).toBe(0);
  });
});

describe('decompress', () => {
  it.each([
    ['gzip', gzipSync],
    ['deflate', deflateSync],
    ['br', brotliCompressSync],
  ] as const)('returns as many bytes of %s as are allowed, and not one more', async (encoding, compress) => {
    const bytes = compress(Buffer.alloc(1000));

    expect(await decompress(bytes, encoding, 1000)).toEqual(Buffer.alloc(1000));
    await expect(decompress(bytes, encoding, 999)).rejects.toMatchObject({ outcome: 'body_too_large' });
  });

  it('returns bytes without an encoding as they are', async () => {
    expect(await decompress(Buffer.from(TEXT), undefined, 1)).toEqual(Buffer.from(TEXT));
  });
});

describe('captured bytes', () => {
  it('do not show where a host logs its request', () => {
    const body = new CapturedBytes(Buffer.from(TEXT), { 'x-marker': 'header-marker' }, new Date());

    const shown = [inspect({ body }, { showHidden: true, depth: 10 }), JSON.stringify({ body })].join();
    expect(shown).toContain('receivedAt');
    expect(shown).not.toMatch(/payload-marker|header-marker|70 61 79 6c|112,97,121/);
  });
});
