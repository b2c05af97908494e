import type { IncomingHttpHeaders } from 'node:http';
import { finished, type Readable, type Transform } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';
import { type CapturedBody, CapturedBytes, hostCapturedBody } from './captured-body.js';

const JSON_MEDIA_TYPE = /^\s*application\/(?:[\w!#$&^.+-]+\+)?json\s*(?:;|$)/i;

/** Whether a `Content-Type` says JSON: `application/json` or `application/*+json`, with any parameters. */
export function isJson(contentType: string | undefined): boolean {
  return contentType !== undefined && JSON_MEDIA_TYPE.test(contentType);
}

const DECODERS: Readonly<Record<string, () => Transform>> = {
  gzip: createGunzip,
  'x-gzip': createGunzip,
  deflate: createInflate,
  br: createBrotliDecompress,
};

/**
 * Reads a request's body to its end, so that no parser after it finds anything to read. Scalekit signs what it
 * sends; a proxy that compresses it on the way changes the transfer, not what was signed, so that is undone.
 */
export async function readBody(
  stream: Readable,
  headers: IncomingHttpHeaders,
  maxBytes: number,
): Promise<CapturedBody> {
  if (stream.readableDidRead || stream.readableEnded) {
    return hostCapturedBody(stream) ?? { refusal: 'misconfigured' };
  }
  const receivedAt = new Date();
  const encoding = headers['content-encoding']?.trim().toLowerCase() || 'identity';
  const decoder = Object.hasOwn(DECODERS, encoding) ? DECODERS[encoding]?.() : undefined;
  if (!isJson(headers['content-type']) || (!decoder && encoding !== 'identity')) {
    await discard(stream);
    return { refusal: 'unsupported_media_type' };
  }
  const collected = await collect(decoder ? decode(stream, decoder) : stream, maxBytes);
  if (typeof collected !== 'string') return new CapturedBytes(collected, receivedAt);
  decoder?.destroy();
  await discard(stream);
  return { refusal: collected };
}

/** Compressed bytes through their decoder; if they break off, so does it. */
function decode(stream: Readable, decoder: Transform): Transform {
  const breakOff = () => {
    if (!stream.readableEnded) decoder.destroy();
  };
  stream.on('error', breakOff).on('close', breakOff);
  if (stream.destroyed) breakOff();
  return stream.pipe(decoder);
}

/** All bytes of a stream, or why not: too many, or the stream broke off. */
function collect(source: Readable, maxBytes: number): Promise<Buffer | 'body_too_large' | 'invalid_event'> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let length = 0;
    const onData = (chunk: Buffer | Uint8Array | string) => {
      // A host's own hook may have put a stream of another kind in the place of the request.
      const bytes = Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk);
      length += bytes.length;
      if (length <= maxBytes) {
        chunks.push(bytes);
        return;
      }
      source.off('data', onData);
      resolve('body_too_large');
    };
    const breakOff = () => resolve('invalid_event');
    source
      .on('data', onData)
      .on('end', () => resolve(chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks, length)))
      .on('error', breakOff)
      .on('close', breakOff);
    if (source.destroyed) breakOff();
  });
}

/** Lets the rest of a body pass by: an answer that is sent before the end may never be read. */
function discard(stream: Readable): Promise<void> {
  return new Promise((resolve) => {
    stream.unpipe();
    stream.resume();
    finished(stream, { writable: false }, () => resolve());
  });
}
