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
import { bodyVariants, damageOf } from './body-variants.js';
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
    return [signedAt, ...clockHint, CLI_MESSAGES.mismatches(secrets.length), explainMismatch(body, matches)];
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

/** Blames the secret only if nothing shows that the body was changed. */
function explainMismatch(body: Uint8Array, matches: (body: string) => boolean): string {
  for (const variant of bodyVariants(body)) {
    if (matches(variant.body)) return CLI_MESSAGES.variantMatches(variant.name);
  }
  const damage = damageOf(body);
  return damage ? CLI_MESSAGES.bodyDamaged[damage] : CLI_MESSAGES.noVariantMatches;
}
