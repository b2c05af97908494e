import { WebhookVerificationError } from '../errors/webhook-verification.error.js';
import { readSignatureClaim } from '../verify/read-signature-claim.js';
import {
  collectSignatureHeaders,
  SCALEKIT_HEADER,
  STANDARD_HEADERS,
  schemesPresent,
} from '../verify/signature-headers.js';
import type { SignatureScheme } from '../verify/signature-scheme.js';
import { verifyWebhookSignature } from '../verify/verify-signature.js';
import { bodyVariants } from './body-variants.js';
import { CLI_MESSAGES } from './cli.messages.js';

const HEADERS_OF = { standard: STANDARD_HEADERS, scalekit: [SCALEKIT_HEADER] } as const;

/** A delivery to be explained. */
export interface DeliveryToExplain {
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
    const { timestamp } = readSignatureClaim(scheme, values);
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
