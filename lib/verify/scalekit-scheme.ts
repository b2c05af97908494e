import { MESSAGES } from '../scalekit-webhooks.messages.js';
import { malformed, parseUnixSeconds, type SignatureClaim } from './signature-claim.js';
import { SCALEKIT_HEADER, type SignatureHeaderValues } from './signature-headers.js';

const SHA256_HEX = /^[0-9a-fA-F]{64}$/;

/**
 * Reads `scalekit-signature: t=…,v1=…`, in which `v1` may stand several times. Other fields, and values of
 * `v1` that are no digest, are passed over.
 *
 * @throws WebhookVerificationError `headers_malformed`
 */
export function readScalekitClaim(values: SignatureHeaderValues): SignatureClaim {
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
