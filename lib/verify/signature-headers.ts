import { WebhookVerificationError } from '../errors/webhook-verification.error.js';
import { MESSAGES } from '../scalekit-webhooks.messages.js';
import type { SignatureScheme } from './signature-scheme.js';

/** The header names of both schemes, in lower case. */
export const STANDARD_HEADERS = ['webhook-id', 'webhook-timestamp', 'webhook-signature'] as const;
export const SCALEKIT_HEADER = 'scalekit-signature';

type SignatureHeader = (typeof STANDARD_HEADERS)[number] | typeof SCALEKIT_HEADER;

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
export function collectSignatureHeaders(headers: WebhookHeaders): SignatureHeaderValues {
  const values: Record<SignatureHeader, string[]> = {
    'webhook-id': [],
    'webhook-timestamp': [],
    'webhook-signature': [],
    'scalekit-signature': [],
  };
  for (const [name, value] of entriesOf(headers)) {
    const header = name.toLowerCase();
    if (!isSignatureHeader(header, values)) continue;
    if (typeof value === 'string') addValue(values[header], value);
    else for (const one of value ?? []) addValue(values[header], one);
  }
  return values;
}

/**
 * The schemes whose headers are all present.
 *
 * @throws WebhookVerificationError `headers_missing`, naming what is missing, when there is none.
 */
export function schemesPresent(values: SignatureHeaderValues): readonly SignatureScheme[] {
  const missing = STANDARD_HEADERS.filter((name) => values[name].length === 0);
  const schemes: SignatureScheme[] = [];
  if (missing.length === 0) schemes.push('standard');
  if (values[SCALEKIT_HEADER].length > 0) schemes.push('scalekit');
  if (schemes.length > 0) return schemes;
  throw new WebhookVerificationError('headers_missing', MESSAGES.signatureHeadersMissing(missing));
}

function entriesOf(headers: WebhookHeaders): [string, string | readonly string[] | undefined][] {
  if (!isFetchHeaders(headers)) return Object.entries(headers);
  return [...STANDARD_HEADERS, SCALEKIT_HEADER].map((name) => [name, headers.get(name) ?? undefined]);
}

function addValue(values: string[], value: string): void {
  if (value !== '') values.push(value);
}

function isFetchHeaders(headers: WebhookHeaders): headers is FetchHeaders {
  return typeof headers.get === 'function';
}

function isSignatureHeader(name: string, values: SignatureHeaderValues): name is SignatureHeader {
  return Object.hasOwn(values, name);
}
