import { randomUUID } from 'node:crypto';
import { WebhookVerificationError } from '../errors/errors.js';
import { MESSAGES } from './verify.messages.js';

export const SIGNATURE_SCHEMES = ['standard', 'scalekit'] as const;

/**
 * How a delivery is signed. Scalekit uses two schemes:
 *
 * - `standard`: the Standard Webhooks headers `webhook-id`, `webhook-timestamp` and `webhook-signature`
 * - `scalekit`: the single header `scalekit-signature: t=…,v1=…`
 */
export type SignatureScheme = (typeof SIGNATURE_SCHEMES)[number];

/** Request headers as `node:http`, Express and Fastify provide them, or a `Headers` object. Names can have any case. */
export type WebhookHeaders = HeaderRecord | FetchHeaders;

type HeaderRecord = Readonly<Record<string, string | readonly string[] | undefined>>;

/** The part of a Fetch API `Headers` object that is used here. */
interface FetchHeaders {
  get(name: string): string | null;
}

/** The header names of both schemes, in lower case. */
export const STANDARD_HEADERS = ['webhook-id', 'webhook-timestamp', 'webhook-signature'] as const;
export const SCALEKIT_HEADER = 'scalekit-signature';

type SignatureHeader = (typeof STANDARD_HEADERS)[number] | typeof SCALEKIT_HEADER;

/** The values received for each signature header, without empty ones. */
export type SignatureHeaderValues = Readonly<Record<SignatureHeader, readonly string[]>>;

/** Collects the signature headers. Servers provide names in lower case, so other spellings are looked up only if needed. */
export function collectSignatureHeaders(headers: WebhookHeaders): SignatureHeaderValues {
  if (isFetchHeaders(headers)) return pickValues((name) => headers.get(name) ?? undefined);
  const values = pickValues((name) => (Object.hasOwn(headers, name) ? headers[name] : undefined));
  if (isComplete(values)) return values;
  const entries = Object.entries(headers);
  return pickValues((name) =>
    entries.flatMap(([spelling, value]) => (spelling.toLowerCase() === name ? (value ?? []) : [])),
  );
}

/**
 * The schemes whose headers are all present.
 *
 * @throws WebhookVerificationError `headers_missing` if there is none. The message names the missing headers.
 */
export function schemesPresent(values: SignatureHeaderValues): readonly SignatureScheme[] {
  const missing = STANDARD_HEADERS.filter((name) => values[name].length === 0);
  const schemes: SignatureScheme[] = [];
  if (missing.length === 0) schemes.push('standard');
  if (values[SCALEKIT_HEADER].length > 0) schemes.push('scalekit');
  if (schemes.length > 0) return schemes;
  throw new WebhookVerificationError('headers_missing', MESSAGES.signatureHeadersMissing(missing));
}

function pickValues(
  get: (name: SignatureHeader) => string | readonly string[] | undefined,
): SignatureHeaderValues {
  return {
    'webhook-id': toList(get('webhook-id')),
    'webhook-timestamp': toList(get('webhook-timestamp')),
    'webhook-signature': toList(get('webhook-signature')),
    'scalekit-signature': toList(get('scalekit-signature')),
  };
}

/** The values of a header, without empty ones. */
function toList(value: string | readonly string[] | undefined): readonly string[] {
  if (!value) return [];
  return typeof value === 'string' ? [value] : value.filter((one) => one !== '');
}

function isComplete(values: SignatureHeaderValues): boolean {
  return values[SCALEKIT_HEADER].length > 0 || STANDARD_HEADERS.every((name) => values[name].length > 0);
}

function isFetchHeaders(headers: WebhookHeaders): headers is FetchHeaders {
  return typeof headers.get === 'function';
}

const REPLAY_PREFIX = 'scalekit-webhooks-replay';

/** What a request for a replay asks for. */
export interface ReplayRequest {
  /** The handlers to run, even if they are done. By default, every handler that is not done. */
  readonly handlers?: readonly string[];
}

/**
 * The `webhook-id` of a delivery that asks the endpoint to replay its event. The id is part of what is signed, so only
 * someone with the signing secret can ask.
 */
export function replayRequestId({ handlers }: ReplayRequest): string {
  const request = Buffer.from(JSON.stringify({ handlers })).toString('base64url');
  return [REPLAY_PREFIX, randomUUID(), request].join(':');
}

/** Whether a `webhook-id` asks for a replay. */
export function isReplayRequestId(deliveryId: string | undefined): boolean {
  return deliveryId?.startsWith(`${REPLAY_PREFIX}:`) ?? false;
}

/**
 * Reads a `webhook-id` whose signature was verified. Undefined if it does not ask for a replay.
 *
 * @throws WebhookVerificationError `headers_malformed` if it does, but not in a way that `replayRequestId` writes
 */
export function readReplayRequest(deliveryId: string | undefined): ReplayRequest | undefined {
  if (deliveryId === undefined || !isReplayRequestId(deliveryId)) return undefined;
  const [, , request = ''] = deliveryId.split(':');
  try {
    const asked: { handlers?: unknown } = JSON.parse(Buffer.from(request, 'base64url').toString());
    if (!Object.hasOwn(asked, 'handlers')) return {};
    const { handlers } = asked;
    if (Array.isArray(handlers) && handlers.every((id) => typeof id === 'string')) return { handlers };
  } catch {
    // Not JSON, or null.
  }
  throw new WebhookVerificationError('headers_malformed', MESSAGES.replayRequestIsMalformed);
}
