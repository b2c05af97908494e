import { createHmac } from 'node:crypto';
import { brotliDecompressSync, gunzipSync, inflateSync } from 'node:zlib';
import { SECRET } from '../helpers/secrets.js';
import { type FuzzRequest, valuesOf } from './fuzz-request.js';

// Decides which requests are authentic, without any code of the library, so that it cannot share its mistakes.

export const TOLERANCE_SECONDS = 300;

const CLOCK_SLACK_SECONDS = 15;
const DECODERS = [gunzipSync, inflateSync, brotliDecompressSync];

export function standardSignature(secret: string, id: string, timestamp: string, body: Uint8Array): string {
  const key = Buffer.from(secret.slice('whsec_'.length), 'base64');
  return createHmac('sha256', key).update(`${id}.${timestamp}.`).update(body).digest('base64');
}

export function scalekitSignature(secret: string, timestamp: string, body: Uint8Array): string {
  return createHmac('sha256', secret).update(`${timestamp}.`).update(body).digest('hex');
}

/**
 * Whether any combination of the request's ids and timestamps, with the body as sent or decompressed, has a valid signature.
 * That is true for every request that the endpoint may accept, and for some that it must refuse.
 */
export function mayBeAuthentic(request: FuzzRequest): boolean {
  const bodies = [request.body, ...decompressed(request.body)];
  return bodies.some((body) => hasStandardSignature(request, body) || hasScalekitSignature(request, body));
}

function hasStandardSignature(request: FuzzRequest, body: Uint8Array): boolean {
  const signatures = valuesOf(request, 'webhook-signature')
    .join(' ')
    .replaceAll('-', '+')
    .replaceAll('_', '/');
  return valuesOf(request, 'webhook-id').some((id) =>
    valuesOf(request, 'webhook-timestamp').some(
      (timestamp) =>
        isRecent(timestamp) &&
        signatures.includes(
          `v1,${standardSignature(SECRET, id.trim(), timestamp.trim(), body).slice(0, 43)}`,
        ),
    ),
  );
}

function hasScalekitSignature(request: FuzzRequest, body: Uint8Array): boolean {
  const header = valuesOf(request, 'scalekit-signature').join(',');
  const timestamps = Array.from(header.matchAll(/t\s*=\s*([^,\s]*)/g), ([, timestamp = '']) => timestamp);
  return timestamps.some(
    (timestamp) =>
      isRecent(timestamp) && header.toLowerCase().includes(scalekitSignature(SECRET, timestamp, body)),
  );
}

function isRecent(timestamp: string): boolean {
  const age = Date.now() / 1000 - Number(timestamp);
  return Math.abs(age) <= TOLERANCE_SECONDS + CLOCK_SLACK_SECONDS;
}

function decompressed(body: Buffer): Buffer[] {
  return DECODERS.flatMap((decode) => {
    try {
      return [decode(body, { maxOutputLength: 4 * 1024 * 1024 })];
    } catch {
      return [];
    }
  });
}
