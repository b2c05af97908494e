import { createSecretKey, type KeyObject } from 'node:crypto';
import { refuseSetting } from '../errors/settings.js';
import type { SignatureScheme } from './signature-headers.js';
import { MESSAGES } from './verify.messages.js';

/** The environment variable with an endpoint's signing secrets, used if the options have none. */
export const SECRET_VARIABLE = 'SCALEKIT_WEBHOOK_SECRET';

const PREFIX = 'whsec_';
const RECOMMENDED_KEY_BYTES = 24;
// Docker's --env-file, for example, keeps quotes. Some editors make them typographic.
const QUOTED = /^["'`“”„‘’«]|["'`“”‘’»]$/;

/**
 * A parsed signing secret. Printing, inspecting or serializing it does not reveal the key.
 * Create one with {@link parseSigningSecret}.
 */
export class SigningSecret {
  /** Whether the key is shorter than the 24 bytes that Standard Webhooks recommends. */
  readonly isShort: boolean;
  readonly #standardKey: KeyObject;
  readonly #scalekitKey: KeyObject;

  constructor(keyBytes: Uint8Array, text: string) {
    this.isShort = keyBytes.length < RECOMMENDED_KEY_BYTES;
    this.#standardKey = createSecretKey(keyBytes);
    this.#scalekitKey = createSecretKey(text, 'utf8');
  }

  /** The key for a scheme: the decoded bytes for `standard`, the whole secret as text for `scalekit`. */
  keyFor(scheme: SignatureScheme): KeyObject {
    return scheme === 'standard' ? this.#standardKey : this.#scalekitKey;
  }
}

/**
 * Parses a signing secret as the Scalekit dashboard shows it: `whsec_` followed by a key in base64 or base64url,
 * padded or not. Surrounding whitespace is ignored.
 *
 * @throws ScalekitWebhooksConfigurationError if the secret is empty, in quotes, lacks `whsec_`, or its key cannot be decoded.
 */
export function parseSigningSecret(text: string): SigningSecret {
  return readSigningSecret('signingSecret', text);
}

/** Takes the value of a setting as a signing secret, which may be parsed already. */
export function toSigningSecret(setting: string, value: unknown): SigningSecret {
  return isSigningSecret(value) ? value : readSigningSecret(setting, value);
}

/** Parses the value of a setting that takes a signing secret as text. */
export function readSigningSecret(setting: string, value: unknown): SigningSecret {
  if (typeof value !== 'string') refuseSetting(setting, MESSAGES.secretIsNotAString(typeof value));
  const secret = value.trim();
  if (secret === '') refuseSetting(setting, MESSAGES.secretIsEmpty);
  if (QUOTED.test(secret)) refuseSetting(setting, MESSAGES.secretIsQuoted);
  if (!secret.startsWith(PREFIX)) refuseSetting(setting, MESSAGES.secretHasNoPrefix);
  const encodedKey = secret.slice(PREFIX.length);
  if (encodedKey === '') refuseSetting(setting, MESSAGES.secretHasNoKey);
  if (!isBase64(encodedKey)) refuseSetting(setting, MESSAGES.secretIsNotBase64);
  return new SigningSecret(Buffer.from(encodedKey, 'base64'), secret);
}

// Not instanceof, because a process may load both the ESM and the CommonJS build of this library.
function isSigningSecret(value: unknown): value is SigningSecret {
  return typeof Reflect.get(Object(value), 'keyFor') === 'function';
}

/** Splits a comma-separated list of secrets. */
export function splitSecrets(text: string | undefined): readonly string[] {
  return (text ?? '')
    .split(',')
    .map((secret) => secret.trim())
    .filter((secret) => secret !== '');
}

const BASE64_OR_BASE64URL = /^(?:[A-Za-z0-9+/]+|[A-Za-z0-9_-]+)(={0,2})$/;

/** Buffer.from skips invalid characters. It could return an empty key, and anyone can sign with an empty key. */
function isBase64(text: string): boolean {
  const padding = BASE64_OR_BASE64URL.exec(text)?.[1];
  if (padding === undefined) return false;
  return padding === '' ? text.length % 4 !== 1 : text.length % 4 === 0;
}
