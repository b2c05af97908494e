import { WebhookVerificationError } from '../errors/errors.js';
import { SCALEKIT_HEADER, type SignatureHeaderValues, type SignatureScheme } from './signature-headers.js';
import { MESSAGES } from './verify.messages.js';

/** How a scheme writes its signatures. */
export type SignatureEncoding = 'base64' | 'hex';

/** How many characters a signature has. */
export const SIGNATURE_LENGTHS = { base64: 44, hex: 64 } as const;

/** What the headers of one scheme claim: when the delivery was signed, and the signatures to prove it. */
export interface ParsedSignature {
  readonly scheme: SignatureScheme;
  /** Unix seconds. */
  readonly timestamp: number;
  /** What is signed before the payload. */
  readonly signedPrefix: string;
  /** Digests of 32 bytes, at least one, as Node writes them. */
  readonly candidates: readonly string[];
  readonly encoding: SignatureEncoding;
  /** The `webhook-id`, which only the standard scheme has. */
  readonly deliveryId?: string;
}

const UNIX_SECONDS = /^[0-9]{1,12}$/;

/** @throws WebhookVerificationError `headers_malformed` unless the text is 1 to 12 ASCII digits. */
function parseUnixSeconds(text: string, header: string): number {
  if (!UNIX_SECONDS.test(text)) throw malformed(MESSAGES.timestampIsNoNumber(header));
  return Number(text);
}

function malformed(message: string): WebhookVerificationError {
  return new WebhookVerificationError('headers_malformed', message);
}

// The 43rd character carries 4 bits: any other would let two texts stand for the same digest.
const LAST_CHARACTER = '[AEIMQUYcgkosw048]';
// Its length says how many characters it has: to count them in the pattern takes half as long again.
const ONE_IN_BASE64 = new RegExp(`^v1,[A-Za-z0-9+/]+${LAST_CHARACTER}=$`);
const BASE64_ENTRY_LENGTH = 'v1,'.length + SIGNATURE_LENGTHS.base64;
const V1_SIGNATURES = new RegExp(`(?<=^|[ ,])v1,[A-Za-z0-9+/_-]{42}${LAST_CHARACTER}=?(?=$|[ ,])`, 'g');

/**
 * Reads the three headers of the Standard Webhooks scheme. Signatures of other versions, and entries that are
 * no signature at all, are passed over.
 *
 * @throws WebhookVerificationError `headers_malformed`
 */
export function parseStandardSignature(values: SignatureHeaderValues): ParsedSignature {
  const deliveryId = parseDeliveryId(onlyValue(values, 'webhook-id'));
  const timestampText = onlyValue(values, 'webhook-timestamp');
  const timestamp = parseUnixSeconds(timestampText, 'webhook-timestamp');
  const candidates = signaturesIn(values['webhook-signature']);
  if (candidates.length === 0) throw malformed(MESSAGES.noSignature('webhook-signature'));
  return {
    scheme: 'standard',
    timestamp,
    signedPrefix: standardSignedPrefix(deliveryId, timestampText),
    candidates,
    encoding: 'base64',
    deliveryId,
  };
}

/** What Standard Webhooks signs before the payload. */
export function standardSignedPrefix(id: string, timestamp: string): string {
  return `${id}.${timestamp}.`;
}

/** Almost every delivery has one signature in base64, which is found faster alone than in a list. */
function signaturesIn(headers: readonly string[]): readonly string[] {
  const list = headers.length === 1 && headers[0] ? headers[0] : headers.join(' ');
  if (list.length === BASE64_ENTRY_LENGTH && ONE_IN_BASE64.test(list)) return [list.slice('v1,'.length)];
  return (list.match(V1_SIGNATURES) ?? []).map(toBase64);
}

/** The digest of an entry, which may be in base64url or without padding. */
function toBase64(entry: string): string {
  const digest = entry.slice('v1,'.length).replace('=', '');
  return `${digest.replaceAll('-', '+').replaceAll('_', '/')}=`;
}

/** The spec warns of full stops in ids: they would let one signature fit several (id, timestamp, payload). */
function parseDeliveryId(id: string): string {
  if (id.includes('.') || !id.isWellFormed()) throw malformed(MESSAGES.deliveryIdIsMalformed);
  return id;
}

function onlyValue(values: SignatureHeaderValues, header: 'webhook-id' | 'webhook-timestamp'): string {
  const [value] = values[header];
  if (value === undefined || values[header].length > 1) throw malformed(MESSAGES.headerIsRepeated(header));
  return value;
}

const SHA256_HEX = /^[0-9a-fA-F]{64}$/;

/**
 * Reads `scalekit-signature: t=…,v1=…`, in which `v1` may stand several times. Other fields, and values of
 * `v1` that are no digest, are passed over.
 *
 * @throws WebhookVerificationError `headers_malformed`
 */
export function parseScalekitSignature(values: SignatureHeaderValues): ParsedSignature {
  const timestamps = new Set<string>();
  const candidates: string[] = [];
  for (const field of values[SCALEKIT_HEADER].join(',').split(',')) {
    const [name, value] = splitField(field);
    if (name === 't') timestamps.add(value);
    if (name === 'v1' && SHA256_HEX.test(value)) candidates.push(value.toLowerCase());
  }
  const [timestampText, ...others] = timestamps;
  if (timestampText === undefined || others.length > 0) throw malformed(MESSAGES.timestampIsNotUnique);
  const timestamp = parseUnixSeconds(timestampText, SCALEKIT_HEADER);
  if (candidates.length === 0) throw malformed(MESSAGES.noSignature(SCALEKIT_HEADER));
  const signedPrefix = scalekitSignedPrefix(timestampText);
  return { scheme: 'scalekit', timestamp, signedPrefix, candidates, encoding: 'hex' };
}

/** What the `scalekit-signature` scheme signs before the payload. */
export function scalekitSignedPrefix(timestamp: string): string {
  return `${timestamp}.`;
}

function splitField(field: string): [name: string, value: string] {
  const end = field.indexOf('=');
  return [field.slice(0, Math.max(end, 0)).trim(), field.slice(end + 1).trim()];
}

const READERS = { standard: parseStandardSignature, scalekit: parseScalekitSignature } as const;

/**
 * Reads what the headers of one scheme claim.
 *
 * @throws WebhookVerificationError `headers_malformed`
 */
export function parseSignature(scheme: SignatureScheme, values: SignatureHeaderValues): ParsedSignature {
  return READERS[scheme](values);
}
