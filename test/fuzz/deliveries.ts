import { SCALEKIT_EVENT_TYPES, unlistedScalekitEvent } from 'nestjs-scalekit-webhooks';
import { createScalekitEvent } from 'nestjs-scalekit-webhooks/testing';
import { SECRET } from '../helpers/secrets.js';
import type { FuzzRequest, Header } from './fuzz-request.js';
import { scalekitSignature, standardSignature } from './oracle.js';
import type { Random } from './random.js';

export interface SigningOptions {
  readonly secret?: string;
  readonly id?: string;
  readonly timestamp?: string;
  readonly scheme?: 'standard' | 'scalekit' | 'both';
}

export const PATH = '/webhooks/scalekit';
/** The path of a route that is not the endpoint's. */
export const HOST_PATH = 'host';
/** How many events the server remembers, so that its memory does not grow with their number. */
export const REMEMBERED_EVENTS = 1000;
/** The default of the `maxBodyBytes` option. */
export const MAX_BODY_BYTES = 1024 * 1024;

/** An event of any type, listed or not. */
export function randomEvent(random: Random): object {
  const seed = random.int(0, 2 ** 31);
  const event = random.chance(0.05)
    ? createScalekitEvent(unlistedScalekitEvent('planet.discovered'), {}, { seed })
    : createScalekitEvent(random.pick(SCALEKIT_EVENT_TYPES), {}, { seed });
  // Different seeds can give the same id, and a duplicate would not reach the handler.
  return { ...event, id: `evt_${seed}${random.int(0, 2 ** 31)}` };
}

/** The body of such an event. */
export function randomBody(random: Random): Buffer {
  return Buffer.from(JSON.stringify(randomEvent(random)));
}

/** A delivery that the endpoint must accept. */
export function validDelivery(random: Random): FuzzRequest {
  return signedDelivery(random, randomBody(random), {
    scheme: random.pick(['standard', 'standard', 'scalekit', 'both'] as const),
  });
}

/** Any bytes, signed as Scalekit signs them. */
export function signedDelivery(random: Random, body: Buffer, options: SigningOptions = {}): FuzzRequest {
  return {
    method: 'POST',
    path: PATH,
    headers: [['Content-Type', 'application/json'], ...signatureHeaders(random, body, options)],
    body,
    chunked: random.chance(0.2),
  };
}

export function nowInSeconds(): number {
  return Math.floor(Date.now() / 1000);
}

function signatureHeaders(random: Random, body: Buffer, options: SigningOptions): Header[] {
  const {
    secret = SECRET,
    id = `msg_${random.int(0, 2 ** 31)}`,
    timestamp = String(nowInSeconds()),
    scheme = 'standard',
  } = options;
  const headers: Header[] = [];
  if (scheme !== 'scalekit') {
    headers.push(
      ['Webhook-Id', id],
      ['Webhook-Timestamp', timestamp],
      ['Webhook-Signature', `v1,${standardSignature(secret, id, timestamp, body)}`],
    );
  }
  if (scheme !== 'standard') {
    headers.push(['Scalekit-Signature', `t=${timestamp},v1=${scalekitSignature(secret, timestamp, body)}`]);
  }
  return headers;
}
