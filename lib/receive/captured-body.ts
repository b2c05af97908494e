import type { Outcome } from '../respond/outcome.js';
import { attach, attached } from './attachment.js';

/** What was captured of a request's body: its exact bytes, or why there are none. */
export type CapturedBody =
  | { readonly bytes: Buffer; readonly receivedAt: Date }
  | {
      readonly refusal: Extract<
        Outcome,
        'body_too_large' | 'unsupported_media_type' | 'invalid_event' | 'misconfigured'
      >;
    };

const CAPTURED = Symbol('captured body');

/** Remembers the captured body of Node's request object. */
export function rememberBody(message: object, body: CapturedBody): void {
  attach(message, CAPTURED, body);
}

/** Whether a body was captured before, by another endpoint whose path matches as well. */
export function isRemembered(message: object): boolean {
  return attached(message, CAPTURED) !== undefined;
}

/** The captured body of a request, whichever platform's request object it is. */
export function bodyOf(request: object): CapturedBody {
  const message = 'raw' in request && typeof request.raw === 'object' && request.raw ? request.raw : request;
  return (
    attached<CapturedBody>(message, CAPTURED) ?? hostCapturedBody(request) ?? { refusal: 'misconfigured' }
  );
}

/** The bytes that the host captured: `rawBody: true`, or a serverless platform that reads the body itself. */
export function hostCapturedBody(request: object): CapturedBody | undefined {
  if (!('rawBody' in request) || !(request.rawBody instanceof Uint8Array)) return undefined;
  return { bytes: Buffer.from(request.rawBody), receivedAt: new Date() };
}
