import { createHmac, type KeyObject, randomUUID, timingSafeEqual } from 'node:crypto';
import { isUint8Array } from 'node:util/types';
import { WebhookVerificationError } from '../errors/errors.js';
import {
  checkOptions,
  type OptionChecks,
  oneOf,
  optional,
  refuseSetting,
  requireText,
  requireTime,
} from '../errors/settings.js';
import {
  SCALEKIT_HEADER,
  SIGNATURE_SCHEMES,
  type SignatureHeaderValues,
  type SignatureScheme,
} from './signature-headers.js';
import { type SigningSecret, toSigningSecret } from './signing-secret.js';
import { MESSAGES } from './verify.messages.js';

/** The content of the signature headers of one scheme. It is not verified yet. */
export interface ParsedSignature {
  readonly scheme: SignatureScheme;
  /** When the delivery was signed, in Unix seconds. */
  readonly timestamp: number;
  /** The text that is signed before the payload. */
  readonly signedPrefix: string;
  /** The decoded signatures, at least one. */
  readonly candidates: readonly Uint8Array[];
  /** The `webhook-id`. Only the `standard` scheme has one. */
  readonly deliveryId?: string;
}

/**
 * Parses the signature headers of one scheme.
 *
 * @throws WebhookVerificationError `headers_malformed`
 */
export function parseSignature(scheme: SignatureScheme, values: SignatureHeaderValues): ParsedSignature {
  return scheme === 'standard' ? parseStandardSignature(values) : parseScalekitSignature(values);
}

/** The text that the `standard` scheme signs before the payload. */
export function standardSignedPrefix(id: string, timestamp: string): string {
  return `${id}.${timestamp}.`;
}

/** The text that the `scalekit` scheme signs before the payload. */
export function scalekitSignedPrefix(timestamp: string): string {
  return `${timestamp}.`;
}

// The 43rd character encodes only 4 bits. Other characters in its place would encode the same signature in another way.
const STANDARD_SIGNATURE = /(?<![^ ,])v1,[A-Za-z0-9+/_-]{42}[AEIMQUYcgkosw048]=?(?![^ ,])/g;

/**
 * Parses the three Standard Webhooks headers. Signatures of other versions and malformed entries are skipped.
 *
 * @throws WebhookVerificationError `headers_malformed`
 */
export function parseStandardSignature(values: SignatureHeaderValues): ParsedSignature {
  const deliveryId = onlyValue(values, 'webhook-id');
  // A period in the id would let one signature fit several combinations of id, timestamp and payload.
  if (deliveryId.includes('.') || !deliveryId.isWellFormed()) throw malformed(MESSAGES.deliveryIdIsMalformed);
  const timestamp = onlyValue(values, 'webhook-timestamp');
  const seconds = parseUnixSeconds(timestamp, 'webhook-timestamp');
  const entries = values['webhook-signature'].join(' ').match(STANDARD_SIGNATURE) ?? [];
  if (entries.length === 0) throw malformed(MESSAGES.signatureNotFound('webhook-signature'));
  return {
    scheme: 'standard',
    timestamp: seconds,
    signedPrefix: standardSignedPrefix(deliveryId, timestamp),
    candidates: entries.map((entry) => Buffer.from(entry.slice('v1,'.length), 'base64')),
    deliveryId,
  };
}

const SHA256_HEX = /^[0-9a-fA-F]{64}$/;

/**
 * Parses `scalekit-signature: t=…,v1=…`, where `v1` may occur several times. Other fields and malformed
 * signatures are skipped.
 *
 * @throws WebhookVerificationError `headers_malformed`
 */
export function parseScalekitSignature(values: SignatureHeaderValues): ParsedSignature {
  const timestamps = new Set<string>();
  const candidates: Uint8Array[] = [];
  for (const field of values[SCALEKIT_HEADER].join(',').split(',')) {
    const [name, value] = splitField(field);
    if (name === 't') timestamps.add(value);
    if (name === 'v1' && SHA256_HEX.test(value)) candidates.push(Buffer.from(value, 'hex'));
  }
  const [timestamp, ...others] = timestamps;
  if (timestamp === undefined || others.length > 0) throw malformed(MESSAGES.timestampIsNotUnique);
  const seconds = parseUnixSeconds(timestamp, SCALEKIT_HEADER);
  if (candidates.length === 0) throw malformed(MESSAGES.signatureNotFound(SCALEKIT_HEADER));
  return {
    scheme: 'scalekit',
    timestamp: seconds,
    signedPrefix: scalekitSignedPrefix(timestamp),
    candidates,
  };
}

function splitField(field: string): [name: string, value: string] {
  const end = field.indexOf('=');
  return [field.slice(0, Math.max(end, 0)).trim(), field.slice(end + 1).trim()];
}

function onlyValue(values: SignatureHeaderValues, header: 'webhook-id' | 'webhook-timestamp'): string {
  const [value] = values[header];
  if (value === undefined || values[header].length > 1) throw malformed(MESSAGES.headerIsRepeated(header));
  return value;
}

const UNIX_SECONDS = /^[0-9]{1,12}$/;

function parseUnixSeconds(text: string, header: string): number {
  if (!UNIX_SECONDS.test(text)) throw malformed(MESSAGES.timestampIsNotUnix(header));
  return Number(text);
}

function malformed(message: string): WebhookVerificationError {
  return new WebhookVerificationError('headers_malformed', message);
}

/** Returns the HMAC-SHA256 of the signed prefix and the payload. Strings are signed as UTF-8. */
export function computeSignature(key: KeyObject, signedPrefix: string, payload: string | Uint8Array): Buffer {
  return createHmac('sha256', key).update(signedPrefix).update(payload).digest();
}

/** Whether the key made one of the signatures in the headers. Signatures are compared in constant time. */
export function isSignedWith(
  key: KeyObject,
  { signedPrefix, candidates }: ParsedSignature,
  payload: string | Uint8Array,
): boolean {
  const expected = computeSignature(key, signedPrefix, payload);
  return candidates.some(
    (candidate) => candidate.length === expected.length && timingSafeEqual(candidate, expected),
  );
}

/** @throws ScalekitWebhooksConfigurationError unless the payload is a string or bytes */
export function requirePayload(setting: string, value: unknown): void {
  if (typeof value !== 'string' && !isUint8Array(value)) refuseSetting(setting, MESSAGES.payloadIsNotRaw);
}

/** Options of {@link signWebhook}. */
export interface SignWebhookOptions {
  /** The body, exactly as you will send it. */
  readonly payload: string | Uint8Array;
  /** The signing secret (`whsec_…`). */
  readonly secret: string | SigningSecret;
  /**
   * The `webhook-id`. The `scalekit` scheme has none.
   *
   * @default a new `msg_…` for each call
   */
  readonly id?: string;
  /**
   * The time of signing. A number is in Unix seconds.
   *
   * @default now
   */
  readonly timestamp?: Date | number;
  /** @default 'standard' */
  readonly scheme?: SignatureScheme;
}

const CHECKS: OptionChecks<SignWebhookOptions> = {
  payload: requirePayload,
  secret: toSigningSecret,
  id: optional(requireText),
  timestamp: optional(requireTime),
  scheme: optional(oneOf(SIGNATURE_SCHEMES)),
};

/**
 * Signs a payload the way Scalekit does.
 *
 * @returns only the signature headers; add `content-type: application/json` when you send them.
 * @throws ScalekitWebhooksConfigurationError if an option is invalid.
 */
export function signWebhook(options: SignWebhookOptions): Record<string, string> {
  const {
    payload,
    secret,
    id = newMessageId(),
    timestamp = new Date(),
    scheme = 'standard',
  } = checkOptions(options, CHECKS);
  const key = toSigningSecret('secret', secret).keyFor(scheme);
  const t = String(toUnixSeconds(timestamp));
  if (scheme === 'scalekit') {
    const signature = computeSignature(key, scalekitSignedPrefix(t), payload).toString('hex');
    return { 'scalekit-signature': `t=${t},v1=${signature}` };
  }
  const signature = computeSignature(key, standardSignedPrefix(id, t), payload).toString('base64');
  return { 'webhook-id': id, 'webhook-timestamp': t, 'webhook-signature': `v1,${signature}` };
}

function newMessageId(): string {
  return `msg_${randomUUID().replaceAll('-', '')}`;
}

function toUnixSeconds(timestamp: Date | number): number {
  return Math.floor(typeof timestamp === 'number' ? timestamp : timestamp.getTime() / 1000);
}
