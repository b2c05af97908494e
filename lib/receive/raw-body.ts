import type { IncomingHttpHeaders } from 'node:http';
import type { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { brotliDecompress, gunzip, inflate } from 'node:zlib';
import { Inject, Injectable } from '@nestjs/common';
import { RESOLVED_OPTIONS } from '../dispatch/dispatch.providers.js';
import { DeliveryRefusedError } from '../respond/outcome.js';
import { collectSignatureHeaders, type ReplayRequest, schemesPresent } from '../verify/signature-headers.js';
import { MESSAGES } from './receive.messages.js';
import type { ReceiveOptions } from './receive.options.js';

/**
 * The exact bytes of a request's body, and its headers as they arrived. They are private, so that an application that
 * logs its requests does not log the payload.
 */
export class CapturedBytes {
  readonly #bytes: Buffer;
  readonly #headers: IncomingHttpHeaders;
  readonly receivedAt: Date;
  #hasArrived = false;
  #onArrival?: () => void;
  /** Set by the guard once the signature is verified. */
  verified?: VerifiedDelivery;

  constructor(bytes: Buffer, headers: IncomingHttpHeaders, receivedAt: Date) {
    this.#bytes = bytes;
    this.#headers = headers;
    this.receivedAt = receivedAt;
  }

  get bytes(): Buffer {
    return this.#bytes;
  }

  get headers(): IncomingHttpHeaders {
    return this.#headers;
  }

  /** Whether the request has reached the guard. */
  get hasArrived(): boolean {
    return this.#hasArrived;
  }

  /** Calls this when the request reaches the guard. */
  set onArrival(onArrival: () => void) {
    this.#onArrival = onArrival;
  }

  arrive(): void {
    this.#hasArrived = true;
    this.#onArrival?.();
  }
}

/** What a valid signature says about its delivery. */
export interface VerifiedDelivery {
  /** Missing if the signature scheme has no delivery id. */
  readonly deliveryId?: string | undefined;
  /** Set if the delivery asks for a replay of its event. */
  readonly replay?: ReplayRequest | undefined;
}

/** A request's stream. Node tells whether a request has arrived completely; other streams only when they end. */
export type RequestStream = Readable & { readonly complete?: boolean };

const BODY = Symbol('captured body');

/** The common part of Express's and Fastify's request objects, and the captured body. */
export interface PlatformRequest {
  readonly headers: IncomingHttpHeaders;
  readonly url?: string | undefined;
  readonly rawBody?: unknown;
  readonly raw?: unknown;
  [BODY]?: CapturedBytes;
}

/** The captured body of a request. Undefined if no endpoint has captured it. */
export function capturedBody(request: PlatformRequest): CapturedBytes | undefined {
  return ownValue(request, BODY);
}

/** Keeps the body of a request in the request, for the guard and the controller. */
export function keepBody(request: PlatformRequest, body: CapturedBytes): CapturedBytes {
  request[BODY] = body;
  return body;
}

/**
 * The bytes that the application kept: with Nest's `rawBody: true`, or on a serverless platform that reads the body
 * itself.
 */
export function keptByHost(request: object & { readonly rawBody?: unknown }): Buffer | undefined {
  const kept = ownValue(request, 'rawBody');
  if (typeof kept === 'string') return Buffer.from(kept);
  return kept instanceof Uint8Array ? Buffer.from(kept) : undefined;
}

/** The stream of a request. Fastify's request objects are not streams themselves. */
export function streamOf(request: PlatformRequest): RequestStream {
  return (ownValue(request, 'raw') ?? request) as RequestStream;
}

/** Whether nobody has read from a stream. */
export function isUnread({ readableDidRead, readableEnded, destroyed }: Readable): boolean {
  return !readableDidRead && !readableEnded && !destroyed;
}

/** Reads the bodies of deliveries to one endpoint, within its limits. */
@Injectable()
export class DeliveryReader {
  readonly #options: ReceiveOptions;

  constructor(@Inject(RESOLVED_OPTIONS) options: ReceiveOptions) {
    this.#options = options;
  }

  /**
   * Captures the body of a request, and leaves the request as it was.
   *
   * @throws ScalekitWebhooksError that says why the request is refused. The rest of its body is dropped.
   */
  async capture(request: PlatformRequest, stream: RequestStream): Promise<CapturedBytes> {
    const receivedAt = new Date();
    const { headers } = request;
    const { maxBodyBytes } = this.#options;
    try {
      this.requireAcceptable(headers);
      const length = Number(ownValue(headers, 'content-length') ?? 0);
      const sent = await peekBody(stream, maxBodyBytes, length);
      const encoding = ownValue(headers, 'content-encoding');
      const bytes = encoding === undefined ? sent : await decompress(sent, encoding, maxBodyBytes);
      return keepBody(request, new CapturedBytes(bytes, headers, receivedAt));
    } catch (error) {
      // Drops what is left of the body, so that the connection can be used again.
      stream.resume();
      throw error;
    }
  }

  /**
   * Captures the body of a request late: the bytes that the application kept, or else those that nobody has read yet.
   *
   * @throws ScalekitWebhooksError that says why the request is refused
   */
  async captureLate(request: PlatformRequest, stream: RequestStream): Promise<CapturedBytes> {
    const kept = keptByHost(request) ?? keptByHost(stream);
    if (!kept && isUnread(stream)) return this.capture(request, stream);
    const { headers } = request;
    // First, so that an unauthenticated sender cannot make the endpoint report that it is misconfigured.
    this.requireAcceptable(headers);
    if (!kept) throw refusedBody('misconfigured');
    if (kept.length > this.#options.maxBodyBytes) throw refusedBody('body_too_large');
    return keepBody(request, new CapturedBytes(kept, headers, new Date()));
  }

  /**
   * Refuses by the headers alone, so that the body of an unauthenticated sender takes up no memory.
   *
   * @throws ScalekitWebhooksError that says why the request is refused
   */
  requireAcceptable(headers: IncomingHttpHeaders): void {
    const { verifier, maxBodyBytes } = this.#options;
    // Another verifier may need other headers.
    if (!verifier) schemesPresent(collectSignatureHeaders(headers));
    if (
      !isJson(ownValue(headers, 'content-type')) ||
      !isSupportedEncoding(ownValue(headers, 'content-encoding'))
    ) {
      throw refusedBody('unsupported_media_type');
    }
    if (Number(ownValue(headers, 'content-length') ?? 0) > maxBodyBytes) throw refusedBody('body_too_large');
  }
}

function refusedBody(outcome: keyof typeof MESSAGES.bodyRefused): DeliveryRefusedError {
  return new DeliveryRefusedError(outcome, MESSAGES.bodyRefused[outcome]);
}

// A buffer takes a few hundred bytes beside its content, so that many small ones take too much memory.
const MAX_CHUNKS = 1000;

/**
 * Reads a body to its end, and then puts it back: whoever reads the request later finds it as it arrived. If the stream
 * does not tell that it is complete before it ends, it stays ended.
 *
 * @param announced how many bytes the request says it has, if it does. A serverless platform makes requests that are
 *   complete, but that have their body only once it is read.
 * @throws DeliveryRefusedError if the body is too large or breaks off. The rest of it is not read.
 */
export function peekBody(stream: RequestStream, maxBytes: number, announced = 0): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    let chunks: Buffer[] = [];
    let length = 0;
    let stop = () => {};
    const refuse = (outcome: keyof typeof MESSAGES.bodyRefused) => {
      stop();
      reject(refusedBody(outcome));
    };
    const onBreak = () => refuse('invalid_event');
    const onEnd = () => {
      stop();
      const bytes = Buffer.concat(chunks, length);
      if (length > 0 && !stream.readableEnded) putBack(stream, bytes);
      resolve(bytes);
    };
    const onReadable = () => {
      // A readable stream that is empty is about to end. Reading from it would end it.
      if (stream.readableLength === 0) return onEnd();
      while (stream.readableLength > 0) {
        const chunk = toBuffer(stream.read(), stream.readableEncoding);
        chunks.push(chunk);
        length += chunk.length;
        if (length > maxBytes) return refuse('body_too_large');
        if (chunks.length === MAX_CHUNKS) chunks = [Buffer.concat(chunks, length)];
      }
      if (stream.complete || length === announced) onEnd();
    };
    // Later, because a small body arrives together with the headers. An empty one must not be read. An encoding changes the length.
    process.nextTick(() => {
      if (stream.destroyed) return onBreak();
      const { readableLength, readableEncoding, complete } = stream;
      if (readableLength === announced && (readableLength ? !readableEncoding : complete))
        return onReadable();
      stream.on('readable', onReadable).on('end', onEnd).on('error', onBreak).on('close', onBreak);
      stop = () => {
        stream.off('readable', onReadable).off('end', onEnd).off('error', onBreak).off('close', onBreak);
      };
    });
  });
}

/** Must be called right after the stream was read, before it notices that it is empty. */
function putBack(stream: Readable, bytes: Buffer): void {
  const encoding = stream.readableEncoding;
  if (encoding) stream.unshift(bytes.toString(encoding), encoding);
  else stream.unshift(bytes);
}

/** The application may have set an encoding, so that the stream returns strings. */
function toBuffer(chunk: Buffer | string, encoding: BufferEncoding | null): Buffer {
  return typeof chunk === 'string' ? Buffer.from(chunk, encoding ?? 'utf8') : chunk;
}

// With `info`, zlib also returns its engine, which the types leave out. It tells how many of the bytes it has used.
type Decompress = (bytes: Buffer, options: { maxOutputLength: number; info: true }) => Promise<unknown>;
type Decompressed = { readonly buffer: Buffer; readonly engine: { readonly bytesWritten: number } };

const DECOMPRESS: ReadonlyMap<string, Decompress> = new Map([
  ['gzip', promisify(gunzip)],
  ['x-gzip', promisify(gunzip)],
  ['deflate', promisify(inflate)],
  ['br', promisify(brotliDecompress)],
]);

/** Whether a `Content-Encoding` is one that {@link decompress} knows. */
export function isSupportedEncoding(encoding: string | undefined): boolean {
  const name = encodingName(encoding);
  return name === 'identity' || DECOMPRESS.has(name);
}

/**
 * Scalekit signs the uncompressed body, so a body that a proxy compressed on the way is decompressed first. It stays
 * compressed until it is complete, so that a sender who stops halfway takes up no more memory than the bytes it sent.
 *
 * @throws DeliveryRefusedError if it is larger than `maxBytes`, damaged, or followed by other bytes
 */
export async function decompress(
  bytes: Buffer,
  encoding: string | undefined,
  maxBytes: number,
): Promise<Buffer> {
  const decompressAll = DECOMPRESS.get(encodingName(encoding));
  if (!decompressAll) return bytes;
  try {
    // Without a prototype, because zlib also reads what all objects inherit.
    const options = { __proto__: null, maxOutputLength: maxBytes, info: true } as const;
    const { buffer, engine } = (await decompressAll(bytes, options)) as Decompressed;
    if (engine.bytesWritten === bytes.length) return buffer;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ERR_BUFFER_TOO_LARGE') throw refusedBody('body_too_large');
  }
  throw refusedBody('invalid_event');
}

function encodingName(encoding: string | undefined): string {
  return encoding?.trim().toLowerCase() || 'identity';
}

const JSON_MEDIA_TYPE = /^\s*application\/(?:[\w!#$&^.+-]+\+)?json\s*(?:;|$)/i;

/** Whether a `Content-Type` is JSON: `application/json` or `application/*+json`, with any parameters. */
export function isJson(contentType: string | undefined): boolean {
  return contentType !== undefined && JSON_MEDIA_TYPE.test(contentType);
}

/** A property of the object itself. A library may have changed what all objects inherit. */
export function ownValue<T extends object, K extends keyof T>(object: T, name: K): T[K] | undefined {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}
