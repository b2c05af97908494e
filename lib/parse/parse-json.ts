import { InvalidEventError } from '../errors/invalid-event.error.js';
import { MESSAGES } from '../scalekit-webhooks.messages.js';

const UTF_8 = new TextDecoder('utf-8', { fatal: true });

/**
 * Reads bytes as JSON in UTF-8 (a byte order mark may lead). Bytes that are not UTF-8 are refused, never replaced.
 *
 * @throws InvalidEventError `not_json`
 */
export function parseJson(bytes: Uint8Array): unknown {
  const text = decode(bytes);
  try {
    return JSON.parse(text);
  } catch {
    // The SyntaxError quotes the payload, so it is not kept as the cause.
    throw new InvalidEventError('not_json', MESSAGES.bodyIsNotJson);
  }
}

function decode(bytes: Uint8Array): string {
  try {
    return UTF_8.decode(bytes);
  } catch {
    throw new InvalidEventError('not_json', MESSAGES.bodyIsNotUtf8);
  }
}
