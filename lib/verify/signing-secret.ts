import { createSecretKey, type KeyObject } from 'node:crypto';
import { ScalekitWebhooksConfigurationError } from '../errors/errors.js';
import type { SignatureScheme } from './signature-headers.js';
import { MESSAGES } from './verify.messages.js';

const PREFIX = 'whsec_';
const RECOMMENDED_KEY_BYTES = 24;
const BASE64_OR_BASE64URL = /^(?:[A-Za-z0-9+/]+|[A-Za-z0-9_-]+)(={0,2})$/;

/**
 * A signing secret, decoded once and ready for use. Its keys are private, so that printing, inspecting or
 * serialising it shows nothing. Made by {@link parseSigningSecret}.
 */
export class SigningSecret {
  /** Whether the key has fewer than the 24 bytes that Standard Webhooks asks for at least. */
  readonly isShort: boolean;
  readonly #standardKey: KeyObject;
  readonly #scalekitKey: KeyObject;

  constructor(keyBytes: Uint8Array, text: string) {
    this.isShort = keyBytes.length < RECOMMENDED_KEY_BYTES;
    this.#standardKey = createSecretKey(keyBytes);
    this.#scalekitKey = createSecretKey(text, 'utf8');
  }

  /** The key of a scheme: the decoded bytes for `standard`, the whole secret as text for `scalekit`. */
  keyFor(scheme: SignatureScheme): KeyObject {
    return scheme === 'standard' ? this.#standardKey : this.#scalekitKey;
  }
}

/**
 * Reads a signing secret as the Scalekit dashboard shows it: `whsec_` and a key in base64 or base64url, with
 * or without padding. White space around it is ignored.
 *
 * @throws ScalekitWebhooksConfigurationError when it is empty, has no `whsec_`, or its key cannot be decoded.
 */
export function parseSigningSecret(text: string): SigningSecret {
  if (typeof text !== 'string') throw refused(MESSAGES.secretIsNoString(typeof text));
  const secret = text.trim();
  if (secret === '') throw refused(MESSAGES.secretIsEmpty);
  if (!secret.startsWith(PREFIX)) throw refused(MESSAGES.secretHasNoPrefix);
  const encodedKey = secret.slice(PREFIX.length);
  if (encodedKey === '') throw refused(MESSAGES.secretHasNoKey);
  if (!isBase64(encodedKey)) throw refused(MESSAGES.secretIsNotBase64);
  return new SigningSecret(Buffer.from(encodedKey, 'base64'), secret);
}

/** Buffer.from skips what it cannot decode, down to an empty key that anybody could sign with. */
function isBase64(text: string): boolean {
  const padding = BASE64_OR_BASE64URL.exec(text)?.[1];
  if (padding === undefined) return false;
  return padding === '' ? text.length % 4 !== 1 : text.length % 4 === 0;
}

function refused(message: string): ScalekitWebhooksConfigurationError {
  return new ScalekitWebhooksConfigurationError('signingSecret', message);
}

/** The variable that holds an endpoint's signing secrets where the options give none. */
export const SECRET_VARIABLE = 'SCALEKIT_WEBHOOK_SECRET';

/** Secrets in one text, separated by commas. */
export function splitSecrets(text: string | undefined): readonly string[] {
  return (text ?? '')
    .split(',')
    .map((secret) => secret.trim())
    .filter((secret) => secret !== '');
}
