import { ScalekitWebhooksError } from '../errors/errors.js';
import { onOneLine } from './printable.js';

/** Why something failed, on one line. A connection that failed for several addresses has a code and no message. */
export function reasonOf(error: unknown): string {
  const message = errorField(error, 'message');
  return onOneLine(message || errorField(error, 'code') || 'unknown reason');
}

/** A field of what was thrown, as text; thrown values can be anything, and errors of Node carry a `code`. */
export function errorField(error: unknown, name: 'code' | 'message' | 'name'): string | undefined {
  if (typeof error !== 'object' || error === null) return undefined;
  const value: unknown = Reflect.get(error, name);
  return typeof value === 'string' ? value : undefined;
}

/** The tool was called rightly, but what it was asked for is not there, or out of reach. Its exit code is 1. */
export class CliFailureError extends ScalekitWebhooksError {
  override readonly code = 'cli_failed';
}

/** The tool was called in a way that cannot work. Its exit code is 2. */
export class CliUsageError extends ScalekitWebhooksError {
  override readonly code = 'cli_usage';
}
