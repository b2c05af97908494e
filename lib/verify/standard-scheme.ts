import { MESSAGES } from '../scalekit-webhooks.messages.js';
import { malformed, parseUnixSeconds, SIGNATURE_LENGTHS, type SignatureClaim } from './signature-claim.js';
import type { SignatureHeaderValues } from './signature-headers.js';

// The 43rd character carries 4 bits: any other would let two texts stand for the same digest.
const LAST_CHARACTER = '[AEIMQUYcgkosw048]';
// Its length says how many characters it has: to count them in the pattern takes half as long again.
const ONE_IN_BASE64 = new RegExp(`^v1,[A-Za-z0-9+/]+${LAST_CHARACTER}=$`);
const BASE64_ENTRY_LENGTH = 'v1,'.length + SIGNATURE_LENGTHS.base64;
const V1_SIGNATURES = new RegExp(`(?<=^|[ ,])v1,[A-Za-z0-9+/_-]{42}${LAST_CHARACTER}=?(?=$|[ ,])`, 'g');

/**
 * Reads the three headers of the Standard Webhooks scheme. Signatures of other versions, and entries that are
 * no signature at all, are passed over.
 *
 * @throws WebhookVerificationError `headers_malformed`
 */
export function readStandardClaim(values: SignatureHeaderValues): SignatureClaim {
  const deliveryId = parseDeliveryId(onlyValue(values, 'webhook-id'));
  const timestampText = onlyValue(values, 'webhook-timestamp');
  const timestamp = parseUnixSeconds(timestampText, 'webhook-timestamp');
  const candidates = signaturesIn(values['webhook-signature']);
  if (candidates.length === 0) throw malformed(MESSAGES.noSignature('webhook-signature'));
  return {
    scheme: 'standard',
    timestamp,
    signedPrefix: standardSignedPrefix(deliveryId, timestampText),
    candidates,
    encoding: 'base64',
    deliveryId,
  };
}

/** What Standard Webhooks signs before the payload. */
export function standardSignedPrefix(id: string, timestamp: string): string {
  return `${id}.${timestamp}.`;
}

/** Almost every delivery has one signature in base64, which is found faster alone than in a list. */
function signaturesIn(headers: readonly string[]): readonly string[] {
  const list = headers.length === 1 && headers[0] ? headers[0] : headers.join(' ');
  if (list.length === BASE64_ENTRY_LENGTH && ONE_IN_BASE64.test(list)) return [list.slice('v1,'.length)];
  return (list.match(V1_SIGNATURES) ?? []).map(toBase64);
}

/** The digest of an entry, which may be in base64url or without padding. */
function toBase64(entry: string): string {
  const digest = entry.slice('v1,'.length).replace('=', '');
  return `${digest.replaceAll('-', '+').replaceAll('_', '/')}=`;
}

/** The spec warns of full stops in ids: they would let one signature fit several (id, timestamp, payload). */
function parseDeliveryId(id: string): string {
  if (id.includes('.') || !id.isWellFormed()) throw malformed(MESSAGES.deliveryIdIsMalformed);
  return id;
}

function onlyValue(values: SignatureHeaderValues, header: 'webhook-id' | 'webhook-timestamp'): string {
  const [value] = values[header];
  if (value === undefined || values[header].length > 1) throw malformed(MESSAGES.headerIsRepeated(header));
  return value;
}
