import { errorField } from './error-field.js';
import { onOneLine } from './printable.js';

/** Why something failed, on one line. A connection that failed for several addresses has a code and no message. */
export function reasonOf(error: unknown): string {
  const message = errorField(error, 'message');
  return onOneLine(message || errorField(error, 'code') || 'unknown reason');
}
