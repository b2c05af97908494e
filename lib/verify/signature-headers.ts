import { WebhookVerificationError } from '../errors/webhook-verification.error.js';
import { MESSAGES } from '../scalekit-webhooks.messages.js';
import type { SignatureScheme } from './signature-scheme.js';

/** The header names of both schemes, in lower case. */
export const STANDARD_HEADERS = ['webhook-id', 'webhook-timestamp', 'webhook-signature'] as const;
export const SCALEKIT_HEADER = 'scalekit-signature';

const SIGNATURE_HEADERS = [...STANDARD_HEADERS, SCALEKIT_HEADER] as const;
const NAMES: ReadonlySet<string> = new Set(SIGNATURE_HEADERS);
const NO_VALUES: readonly string[] = [];
// A request has many other headers: their length alone tells most of them apart.
const LENGTHS: readonly number[] = SIGNATURE_HEADERS.map(({ length }) => length);

type SignatureHeader = (typeof SIGNATURE_HEADERS)[number];

/** Headers as `node:http`, Express and Fastify hold them, or a `Headers` object. Names in any case. */
export type WebhookHeaders = HeaderRecord | FetchHeaders;

type HeaderRecord = Readonly<Record<string, string | readonly string[] | undefined>>;

/** What is needed of a `Headers` object of the fetch standard. */
interface FetchHeaders {
  get(name: string): string | null;
}

/** The values that arrived for each signature header; none is empty text. */
export type SignatureHeaderValues = Readonly<Record<SignatureHeader, readonly string[]>>;

/** Finds the signature headers, whatever the case of their names. */
export function collectSignatureHeaders(given: WebhookHeaders): SignatureHeaderValues {
  const headers = isFetchHeaders(given) ? recordOf(given) : given;
  const values: Record<SignatureHeader, readonly string[]> = {
    'webhook-id': valuesOf(headers['webhook-id']),
    'webhook-timestamp': valuesOf(headers['webhook-timestamp']),
    'webhook-signature': valuesOf(headers['webhook-signature']),
    'scalekit-signature': valuesOf(headers['scalekit-signature']),
  };
  for (const name of Object.keys(headers)) {
    if (!LENGTHS.includes(name.length) || isSignatureHeader(name)) continue;
    const header = name.toLowerCase();
    if (isSignatureHeader(header)) values[header] = [...values[header], ...valuesOf(headers[name])];
  }
  return values;
}

/**
 * The schemes whose headers are all present.
 *
 * @throws WebhookVerificationError `headers_missing`, naming what is missing, when there is none.
 */
export function schemesPresent(values: SignatureHeaderValues): readonly SignatureScheme[] {
  const schemes: SignatureScheme[] = [];
  if (hasStandardHeaders(values)) schemes.push('standard');
  if (values[SCALEKIT_HEADER].length > 0) schemes.push('scalekit');
  if (schemes.length > 0) return schemes;
  const missing = STANDARD_HEADERS.filter((name) => values[name].length === 0);
  throw new WebhookVerificationError('headers_missing', MESSAGES.signatureHeadersMissing(missing));
}

function hasStandardHeaders(values: SignatureHeaderValues): boolean {
  return (
    values['webhook-id'].length > 0 &&
    values['webhook-timestamp'].length > 0 &&
    values['webhook-signature'].length > 0
  );
}

function recordOf(headers: FetchHeaders): HeaderRecord {
  return Object.fromEntries(SIGNATURE_HEADERS.map((name) => [name, headers.get(name) ?? undefined]));
}

function valuesOf(value: string | readonly string[] | undefined): readonly string[] {
  if (!value) return NO_VALUES;
  return typeof value === 'string' ? [value] : value.filter((one) => one !== '');
}

function isFetchHeaders(headers: WebhookHeaders): headers is FetchHeaders {
  return typeof headers.get === 'function';
}

function isSignatureHeader(name: string): name is SignatureHeader {
  return NAMES.has(name);
}
