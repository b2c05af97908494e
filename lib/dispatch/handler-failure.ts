import { HttpException } from '@nestjs/common';
import { NonRetryableEventError } from '../errors/errors.js';
import type { RunError } from '../inbox/inbox-store.js';

const MAX_LENGTH = 500;

// Request timeout, too early, too many requests: a later attempt may succeed.
const RETRYABLE_STATUSES: ReadonlySet<number> = new Set([408, 425, 429]);

/** Whether a retry cannot help: the handler said so, or threw one of Nest's 4xx exceptions. */
export function isFinalFailure(thrown: unknown): boolean {
  if (thrown instanceof NonRetryableEventError || codeOf(thrown) === 'non_retryable') return true;
  if (!(thrown instanceof HttpException)) return false;
  const status = thrown.getStatus();
  return status >= 400 && status < 500 && !RETRYABLE_STATUSES.has(status);
}

/** What the log and the inbox keep of an error: its name and message, shortened. */
export function toRunError(thrown: unknown): RunError {
  if (!isErrorLike(thrown)) return { name: 'NonErrorThrown', message: `a ${typeof thrown} was thrown` };
  return { name: shortened(thrown.name), message: shortened(thrown.message) };
}

/** `instanceof` misses the errors of another realm, such as an AbortError in a test runner. */
function isErrorLike(thrown: unknown): thrown is Record<'name' | 'message', unknown> {
  return typeof thrown === 'object' && thrown !== null && 'name' in thrown && 'message' in thrown;
}

function shortened(text: unknown): string {
  return String(text).slice(0, MAX_LENGTH).toWellFormed();
}

function codeOf(thrown: unknown): unknown {
  return thrown instanceof Error && 'code' in thrown ? thrown.code : undefined;
}
