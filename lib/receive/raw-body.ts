import type { IncomingHttpHeaders } from 'node:http';
import { finished, type Readable, type Transform } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';
import type { Outcome } from '../respond/outcome.js';

/**
 * The exact bytes of a request's body. They are private, so that an application that logs its requests does not log the
 * payload.
 */
export class CapturedBytes {
  readonly #bytes: Buffer;
  /** Set by the guard once the signature is verified. */
  verified?: VerifiedDelivery;

  constructor(
    bytes: Buffer,
    readonly receivedAt: Date,
  ) {
    this.#bytes = bytes;
  }

  get bytes(): Buffer {
    return this.#bytes;
  }
}

/** What a valid signature says about its delivery. */
export interface VerifiedDelivery {
  /** Missing if the signature scheme has no delivery id. */
  readonly deliveryId?: string | undefined;
}

/** Why there are no bytes. */
export interface RefusedBody {
  readonly refusal: Extract<
    Outcome,
    'body_too_large' | 'unsupported_media_type' | 'invalid_event' | 'misconfigured'
  >;
}

/** What was captured of a request's body. */
export type CapturedBody = CapturedBytes | RefusedBody;

const BODY = Symbol('captured body');

/** The common part of Express's and Fastify's request objects, and the captured body. */
export interface PlatformRequest {
  readonly method?: string;
  readonly url?: string;
  readonly headers: IncomingHttpHeaders;
  [BODY]?: CapturedBody;
}

/** Reads the body of a request and keeps it in the request, for the guard and the controller. */
export async function captureBody(
  request: PlatformRequest,
  stream: Readable,
  maxBytes: number,
): Promise<void> {
  request[BODY] = await readBody(stream, request.headers, maxBytes);
}

/** Whether an endpoint has captured the body of this request. */
export function isCaptured(request: PlatformRequest): boolean {
  return request[BODY] !== undefined;
}

/** The captured body of a request. If nothing was captured, the bytes that the application kept as `rawBody`. */
export function bodyOf(request: PlatformRequest): CapturedBody {
  request[BODY] ??= hostRawBody(request) ?? { refusal: 'misconfigured' };
  return request[BODY];
}

/**
 * The bytes that the application kept: with Nest's `rawBody: true`, or on a serverless platform that reads the body
 * itself.
 */
function hostRawBody(request: object): CapturedBytes | undefined {
  if (!('rawBody' in request) || !(request.rawBody instanceof Uint8Array)) return undefined;
  return new CapturedBytes(Buffer.from(request.rawBody), new Date());
}

const DECODERS: Readonly<Record<string, () => Transform>> = {
  gzip: createGunzip,
  'x-gzip': createGunzip,
  deflate: createInflate,
  br: createBrotliDecompress,
};

/**
 * Reads a body to its end, so that nothing is left for a body parser. Scalekit signs the uncompressed body, so a body
 * that a proxy compressed on the way is decompressed first.
 */
export async function readBody(
  stream: Readable,
  headers: IncomingHttpHeaders,
  maxBytes: number,
): Promise<CapturedBody> {
  if (stream.readableDidRead || stream.readableEnded) {
    return hostRawBody(stream) ?? { refusal: 'misconfigured' };
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

const JSON_MEDIA_TYPE = /^\s*application\/(?:[\w!#$&^.+-]+\+)?json\s*(?:;|$)/i;

/** Whether a `Content-Type` is JSON: `application/json` or `application/*+json`, with any parameters. */
export function isJson(contentType: string | undefined): boolean {
  return contentType !== undefined && JSON_MEDIA_TYPE.test(contentType);
}

/** Pipes compressed bytes through their decoder, and destroys it if they end early: `pipe` does not. */
function decode(stream: Readable, decoder: Transform): Transform {
  const breakOff = () => {
    if (!stream.readableEnded) decoder.destroy();
  };
  stream.on('error', breakOff).on('close', breakOff);
  if (stream.destroyed) breakOff();
  return stream.pipe(decoder);
}

/** All bytes of a stream, or why they are not available: there are too many, or the stream ended early. */
function collect(source: Readable, maxBytes: number): Promise<Buffer | 'body_too_large' | 'invalid_event'> {
  return new Promise((resolve) => {
    const chunks: Uint8Array[] = [];
    let length = 0;
    const onData = (chunk: Uint8Array | string) => {
      // A hook of the application may have replaced the request with a stream of strings.
      const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
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
      .on('end', () => resolve(joined(chunks)))
      .on('error', breakOff)
      .on('close', breakOff);
    if (source.destroyed) breakOff();
  });
}

/** Most bodies arrive in one chunk, which needs no copy. */
function joined(chunks: readonly Uint8Array[]): Buffer {
  const [only] = chunks;
  return chunks.length === 1 && Buffer.isBuffer(only) ? only : Buffer.concat(chunks);
}

/** Reads the rest of a body and drops it: some clients do not read a response before they have sent everything. */
function discard(stream: Readable): Promise<void> {
  return new Promise((resolve) => {
    stream.unpipe();
    stream.resume();
    finished(stream, { writable: false }, () => resolve());
  });
}
