import { WebhookVerificationError } from '../errors/errors.js';
import { MESSAGES } from './verify.messages.js';

/**
 * How a delivery is signed. Scalekit uses two schemes:
 *
 * - `standard`: the Standard Webhooks headers `webhook-id`, `webhook-timestamp` and `webhook-signature`
 * - `scalekit`: the single header `scalekit-signature: t=…,v1=…`
 */
export type SignatureScheme = 'standard' | 'scalekit';

/** Request headers as `node:http`, Express and Fastify provide them, or a `Headers` object. Names in any case. */
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

/** Collects the signature headers, whatever the case of their names. */
export function collectSignatureHeaders(headers: WebhookHeaders): SignatureHeaderValues {
  const values: Record<SignatureHeader, readonly string[]> = {
    'webhook-id': [],
    'webhook-timestamp': [],
    'webhook-signature': [],
    'scalekit-signature': [],
  };
  const record = isFetchHeaders(headers) ? toRecord(headers) : headers;
  for (const name of Object.keys(record)) {
    const header = name.toLowerCase();
    if (isSignatureHeader(header)) values[header] = append(values[header], record[name]);
  }
  return values;
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

const SIGNATURE_HEADERS = [...STANDARD_HEADERS, SCALEKIT_HEADER] as const;
const HEADER_NAMES: ReadonlySet<string> = new Set(SIGNATURE_HEADERS);

function isSignatureHeader(name: string): name is SignatureHeader {
  return HEADER_NAMES.has(name);
}

function isFetchHeaders(headers: WebhookHeaders): headers is FetchHeaders {
  return typeof headers.get === 'function';
}

function toRecord(headers: FetchHeaders): HeaderRecord {
  return Object.fromEntries(SIGNATURE_HEADERS.map((name) => [name, headers.get(name) ?? undefined]));
}

/** A record can hold the same header under several spellings, so values add up. Empty values are skipped. */
function append(known: readonly string[], value: string | readonly string[] | undefined): readonly string[] {
  if (!value) return known;
  const found = typeof value === 'string' ? [value] : value.filter((one) => one !== '');
  return known.length === 0 ? found : [...known, ...found];
}
