import { WebhookVerificationError } from '../errors/errors.js';
import { parseSignature } from '../verify/signature.js';
import {
  collectSignatureHeaders,
  SCALEKIT_HEADER,
  type SignatureScheme,
  STANDARD_HEADERS,
  schemesPresent,
} from '../verify/signature-headers.js';
import { verifyWebhookSignature } from '../verify/verify-signature.js';
import { CLI_MESSAGES } from './cli.messages.js';

/** A recorded delivery, and what to verify it with. */
interface RecordedDelivery {
  readonly headers: Record<string, string[]>;
  readonly body: Uint8Array;
  readonly secrets: readonly string[];
  readonly nowSeconds: number;
  readonly toleranceSeconds: number;
}

/** Verifies a delivery, and explains the result line by line. */
export function explainSignature(delivery: RecordedDelivery): { isAuthentic: boolean; lines: string[] } {
  const { headers, body, secrets, nowSeconds, toleranceSeconds } = delivery;
  const isAuthentic = isVerified(() =>
    verifyWebhookSignature({ payload: body, headers, secrets, now: nowSeconds * 1000, toleranceSeconds }),
  );
  const lines = [
    CLI_MESSAGES.bodyRead(body.length),
    ...explainSchemes(delivery),
    isAuthentic ? CLI_MESSAGES.authentic : CLI_MESSAGES.notAuthentic,
  ];
  return { isAuthentic, lines };
}

function explainSchemes(delivery: RecordedDelivery): string[] {
  try {
    const schemes = schemesPresent(collectSignatureHeaders(delivery.headers));
    return schemes.flatMap((scheme) => [
      CLI_MESSAGES.schemeFound(scheme),
      ...explainScheme(scheme, delivery),
    ]);
  } catch (error) {
    return [explainHeaders(error)];
  }
}

const HEADERS_OF = { standard: STANDARD_HEADERS, scalekit: [SCALEKIT_HEADER] } as const;

/** Checks the timestamp and the signature separately, so that an old delivery does not look like a wrong secret. */
function explainScheme(scheme: SignatureScheme, delivery: RecordedDelivery): string[] {
  const { nowSeconds, toleranceSeconds, secrets, body } = delivery;
  const values = collectSignatureHeaders(delivery.headers);
  try {
    const { timestamp } = parseSignature(scheme, values);
    const age = nowSeconds - timestamp;
    const signedAt = CLI_MESSAGES.signedAt(new Date(timestamp * 1000).toISOString(), age, toleranceSeconds);
    const clockHint = age > toleranceSeconds ? [CLI_MESSAGES.clockHint] : [];
    const headers = Object.fromEntries(HEADERS_OF[scheme].map((name) => [name, values[name]]));
    const matches = (payload: string | Uint8Array) =>
      isVerified(() => verifyWebhookSignature({ payload, headers, secrets, now: timestamp * 1000 }));
    if (matches(body)) return [signedAt, ...clockHint, CLI_MESSAGES.matches];
    const variant = bodyVariants(body).find((candidate) => matches(candidate.body));
    const cause = variant ? CLI_MESSAGES.variantMatches(variant.name) : CLI_MESSAGES.noVariantMatches;
    return [signedAt, ...clockHint, CLI_MESSAGES.mismatches(secrets.length), cause];
  } catch (error) {
    return [explainHeaders(error)];
  }
}

function isVerified(verify: () => unknown): boolean {
  try {
    verify();
    return true;
  } catch (error) {
    if (error instanceof WebhookVerificationError) return false;
    throw error;
  }
}

function explainHeaders(error: unknown): string {
  if (!(error instanceof WebhookVerificationError)) throw error;
  return CLI_MESSAGES.headersUnusable(error.message);
}

/** What the body may have looked like before an editor, a shell or a body parser changed it. */
interface BodyVariant {
  readonly name: string;
  readonly body: string;
}

/** The usual variants of a body. Bytes that are not UTF-8 have none, because they cannot be converted to text and back. */
export function bodyVariants(bytes: Uint8Array): readonly BodyVariant[] {
  const body = decode(bytes);
  if (body === undefined) return [];
  const variants = [
    { name: 'the body without its final newline', body: body.replace(/\r?\n$/, '') },
    { name: 'the body with a final newline', body: `${body}\n` },
    { name: 'the body with LF instead of CRLF line endings', body: body.replaceAll('\r\n', '\n') },
    { name: 'the body with CRLF instead of LF line endings', body: body.replaceAll(/\r?\n/g, '\r\n') },
    { name: 'the body without its byte order mark', body: body.replace(/^\ufeff/, '') },
    ...jsonVariants(body),
    { name: 'the body without leading and trailing whitespace', body: body.trim() },
  ];
  return variants.filter((variant) => variant.body !== body);
}

/** JSON that was parsed and serialized again has the same meaning, but different bytes. */
function jsonVariants(body: string): BodyVariant[] {
  try {
    const value: unknown = JSON.parse(body);
    return [
      { name: 'the same JSON in compact form', body: JSON.stringify(value) },
      { name: 'the same JSON indented by 2 spaces', body: JSON.stringify(value, null, 2) },
      { name: 'the same JSON indented by 4 spaces', body: JSON.stringify(value, null, 4) },
    ];
  } catch {
    return [];
  }
}

function decode(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
