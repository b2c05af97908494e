import { readFile } from 'node:fs/promises';
import { ScalekitWebhooksError } from '../errors/errors.js';
import { sanitizeLine } from '../errors/safe-text.js';
import { CLI_MESSAGES } from './cli.messages.js';

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

/** A file that a command needs cannot be read. */
class UnreadableFileError extends CliUsageError {
  constructor(
    path: string,
    readonly reason: string,
  ) {
    super(CLI_MESSAGES.fileUnreadable(path, reason));
  }
}

/** @throws CliUsageError when the file cannot be read */
export async function readInputFile(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    throw new UnreadableFileError(path, errorField(error, 'code') ?? 'unknown reason');
  }
}

/** Whether a file could not be read because it does not exist. */
export function isMissing(error: unknown): boolean {
  return error instanceof UnreadableFileError && error.reason === 'ENOENT';
}

/**
 * Reads a text file in UTF-8, or in UTF-16 with a byte order mark, which Windows PowerShell writes.
 * @throws CliUsageError when the file cannot be read
 */
export async function readTextFile(path: string): Promise<string> {
  const bytes = await readInputFile(path);
  return fromUtf16(bytes) ?? bytes.toString().replace(/^\ufeff/, '');
}

/** The text of bytes in UTF-16, which begin with a byte order mark. Undefined for other bytes. */
export function fromUtf16(bytes: Uint8Array): string | undefined {
  const [first, second] = bytes;
  if (first === 0xff && second === 0xfe) return new TextDecoder('utf-16le').decode(bytes);
  if (first === 0xfe && second === 0xff) return new TextDecoder('utf-16be').decode(bytes);
  return undefined;
}
