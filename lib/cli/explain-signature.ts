import { WebhookVerificationError } from '../errors/errors.js';
import { parseSignature } from '../verify/parsed-signature.js';
import {
  collectSignatureHeaders,
  SCALEKIT_HEADER,
  type SignatureScheme,
  STANDARD_HEADERS,
  schemesPresent,
} from '../verify/signature-headers.js';
import { verifyWebhookSignature } from '../verify/verify-signature.js';
import { CLI_MESSAGES } from './cli.messages.js';

/** A body that differs from the one given in a way that editors, shells and body parsers are known for. */
interface BodyVariant {
  readonly name: string;
  readonly body: string;
}

/** The usual accidents. Bytes that are not UTF-8 have none: they would not survive as text. */
export function bodyVariants(bytes: Uint8Array): readonly BodyVariant[] {
  const body = decode(bytes);
  if (body === undefined) return [];
  const variants = [
    { name: 'the body without the newline at its end', body: body.replace(/\r?\n$/, '') },
    { name: 'the body with a newline at its end', body: `${body}\n` },
    { name: 'the body with LF instead of CRLF line ends', body: body.replaceAll('\r\n', '\n') },
    { name: 'the body with CRLF instead of LF line ends', body: body.replaceAll(/\r?\n/g, '\r\n') },
    { name: 'the body without its byte order mark', body: body.replace(/^\ufeff/, '') },
    ...jsonVariants(body),
    { name: 'the body without white space at its ends', body: body.trim() },
  ];
  return variants.filter((variant) => variant.body !== body);
}

/** JSON that was parsed and serialised again keeps its meaning, and loses its signature. */
function jsonVariants(body: string): BodyVariant[] {
  try {
    const value: unknown = JSON.parse(body);
    return [
      { name: 'the same JSON in compact form', body: JSON.stringify(value) },
      { name: 'the same JSON indented by 2', body: JSON.stringify(value, null, 2) },
      { name: 'the same JSON indented by 4', body: JSON.stringify(value, null, 4) },
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

const HEADERS_OF = { standard: STANDARD_HEADERS, scalekit: [SCALEKIT_HEADER] } as const;

/** A delivery to be explained. */
interface DeliveryToExplain {
  readonly headers: Record<string, string[]>;
  readonly body: Uint8Array;
  readonly secrets: readonly string[];
  readonly nowSeconds: number;
  readonly toleranceSeconds: number;
}

/** Tells line by line why a signature holds, or why it does not. */
export function explainSignature(delivery: DeliveryToExplain): { isAuthentic: boolean; lines: string[] } {
  const { headers, body, secrets, nowSeconds, toleranceSeconds } = delivery;
  const isAuthentic = holds(() =>
    verifyWebhookSignature({ payload: body, headers, secrets, now: nowSeconds * 1000, toleranceSeconds }),
  );
  const lines = [
    CLI_MESSAGES.bodyRead(body.length),
    ...explainSchemes(delivery),
    isAuthentic ? CLI_MESSAGES.authentic : CLI_MESSAGES.notAuthentic,
  ];
  return { isAuthentic, lines };
}

function explainSchemes(delivery: DeliveryToExplain): string[] {
  try {
    const schemes = schemesPresent(collectSignatureHeaders(delivery.headers));
    return schemes.flatMap((scheme) => [
      CLI_MESSAGES.schemeFound(scheme),
      ...explainScheme(scheme, delivery),
    ]);
  } catch (error) {
    return [unusable(error)];
  }
}

function explainScheme(scheme: SignatureScheme, delivery: DeliveryToExplain): string[] {
  const { nowSeconds, toleranceSeconds, secrets, body } = delivery;
  const values = collectSignatureHeaders(delivery.headers);
  try {
    const { timestamp } = parseSignature(scheme, values);
    const age = nowSeconds - timestamp;
    const signedAt = CLI_MESSAGES.signedAt(new Date(timestamp * 1000).toISOString(), age, toleranceSeconds);
    const clockHint = age > toleranceSeconds ? [CLI_MESSAGES.clockHint] : [];
    const own = Object.fromEntries(HEADERS_OF[scheme].map((name) => [name, values[name]]));
    const matches = (payload: string | Uint8Array) =>
      holds(() => verifyWebhookSignature({ payload, headers: own, secrets, now: timestamp * 1000 }));
    if (matches(body)) return [signedAt, ...clockHint, CLI_MESSAGES.matches];
    const variant = bodyVariants(body).find((candidate) => matches(candidate.body));
    const cause = variant ? CLI_MESSAGES.variantMatches(variant.name) : CLI_MESSAGES.noVariantMatches;
    return [signedAt, ...clockHint, CLI_MESSAGES.mismatches(secrets.length), cause];
  } catch (error) {
    return [unusable(error)];
  }
}

function holds(verify: () => unknown): boolean {
  try {
    verify();
    return true;
  } catch (error) {
    if (error instanceof WebhookVerificationError) return false;
    throw error;
  }
}

function unusable(error: unknown): string {
  if (!(error instanceof WebhookVerificationError)) throw error;
  return CLI_MESSAGES.headersUnusable(error.message);
}
