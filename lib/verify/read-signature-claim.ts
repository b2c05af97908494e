import { readScalekitClaim } from './scalekit-scheme.js';
import type { SignatureClaim } from './signature-claim.js';
import type { SignatureHeaderValues } from './signature-headers.js';
import type { SignatureScheme } from './signature-scheme.js';
import { readStandardClaim } from './standard-scheme.js';

const READERS = { standard: readStandardClaim, scalekit: readScalekitClaim } as const;

/**
 * Reads what the headers of one scheme claim.
 *
 * @throws WebhookVerificationError `headers_malformed`
 */
export function readSignatureClaim(scheme: SignatureScheme, values: SignatureHeaderValues): SignatureClaim {
  return READERS[scheme](values);
}
