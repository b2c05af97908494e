import { readFile } from 'node:fs/promises';
import { CLI_MESSAGES } from './cli.messages.js';
import { CliUsageError, errorField } from './cli-io.js';

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
