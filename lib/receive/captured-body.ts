import type { Outcome } from '../respond/outcome.js';

/** The exact bytes of a request's body. They are private, so that a host that logs its request logs no payload. */
export class CapturedBytes {
  readonly #bytes: Buffer;
  #verified?: VerifiedDelivery;

  constructor(
    bytes: Buffer,
    readonly receivedAt: Date,
  ) {
    this.#bytes = bytes;
  }

  get bytes(): Buffer {
    return this.#bytes;
  }

  /** Undefined for a request that the guard never saw. */
  get verified(): VerifiedDelivery | undefined {
    return this.#verified;
  }

  /** The signature holds. */
  markVerified(delivery: VerifiedDelivery): void {
    this.#verified = delivery;
  }
}

/** What a signature that holds tells of its delivery. */
interface VerifiedDelivery {
  /** Undefined where the signature scheme has none. */
  readonly deliveryId: string | undefined;
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

// Kept in the request itself: a WeakMap costs the garbage collector more than all that it holds.
const CAPTURED = Symbol('captured body');
type Captured = object & { [CAPTURED]?: CapturedBody };

/** Remembers the captured body of Node's request object. */
export function rememberBody(message: Captured, body: CapturedBody): void {
  message[CAPTURED] = body;
}

/** Whether the body was captured: by this endpoint, or by another whose path matches as well. */
export function isRemembered(message: Captured): boolean {
  return message[CAPTURED] !== undefined;
}

/** The captured body of a request, whichever platform's request object it is. */
export function bodyOf(request: Captured): CapturedBody {
  if (request[CAPTURED]) return request[CAPTURED];
  const message: Captured =
    'raw' in request && typeof request.raw === 'object' && request.raw ? request.raw : request;
  message[CAPTURED] ??= hostCapturedBody(request) ?? { refusal: 'misconfigured' };
  return message[CAPTURED];
}

/** The bytes that the host captured: `rawBody: true`, or a serverless platform that reads the body itself. */
export function hostCapturedBody(request: object): CapturedBytes | undefined {
  if (!('rawBody' in request) || !(request.rawBody instanceof Uint8Array)) return undefined;
  return new CapturedBytes(Buffer.from(request.rawBody), new Date());
}
