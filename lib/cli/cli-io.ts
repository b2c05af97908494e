import { ScalekitWebhooksError } from '../errors/errors.js';
import { sanitizeLine } from '../errors/printable.js';

/** The streams and environment that the CLI uses, so that tests can run it in their own process. */
export interface CliIo {
  readonly stdout: CliStream;
  readonly stderr: CliStream;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The current folder. */
  cwd(): string;
}

/** Only a terminal gets a progress bar. */
type CliStream = NodeJS.WritableStream & { readonly isTTY?: boolean };

/** What every command gets. It sets the exit code: 0 for success, 1 for failure. Wrong usage, 2, is an error. */
export interface CliContext {
  readonly io: CliIo;
  exitCode: number;
}

/** The command was valid but could not do its work. Exits with 1. */
export class CliFailureError extends ScalekitWebhooksError {
  override readonly code = 'cli_failed';
}

/** The command was called with missing or invalid arguments. Exits with 2. */
export class CliUsageError extends ScalekitWebhooksError {
  override readonly code = 'cli_usage';
}

/** The reason for a failure, on one line. If several connection attempts failed, the error has a code but no message. */
export function reasonOf(error: unknown): string {
  return sanitizeLine(errorField(error, 'message') || errorField(error, 'code') || 'unknown reason');
}

/** A text field of a thrown value, which can be anything. Errors from Node have a `code`. */
export function errorField(error: unknown, name: 'code' | 'message' | 'name'): string | undefined {
  if (typeof error !== 'object' || error === null) return undefined;
  const value: unknown = Reflect.get(error, name);
  return typeof value === 'string' ? value : undefined;
}

/** Ends the process quietly when the reader of its output has closed the pipe, as `head` does. */
export function exitOnClosedPipe(stream: NodeJS.WritableStream, exit: () => void): void {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    exit();
  });
}
