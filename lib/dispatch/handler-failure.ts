import { UnprocessableEntityException } from '@nestjs/common';
import { NonRetryableEventError } from '../errors/errors.js';
import type { RunError } from '../inbox/inbox-queries.js';

const MAX_LENGTH = 500;

/** Whether a retry may help after this error. */
export type RetryablePredicate = (error: unknown) => boolean;

/**
 * Whether a retry cannot help: only for a NonRetryableEventError or Nest's UnprocessableEntityException. Never throws.
 *
 * @param retryable replaces this rule
 */
export function isFinalFailure(thrown: unknown, retryable?: RetryablePredicate): boolean {
  try {
    if (retryable) return !retryable(thrown);
    if (thrown instanceof NonRetryableEventError || thrown instanceof UnprocessableEntityException)
      return true;
    // The ESM and the CommonJS build each have their own NonRetryableEventError.
    return thrown instanceof Error && 'code' in thrown && thrown.code === 'non_retryable';
  } catch {
    return false;
  }
}

/** What the log and the inbox keep of an error: its name and message, shortened. Never throws. */
export function toRunError(thrown: unknown): RunError {
  try {
    if (!isErrorLike(thrown)) return { name: 'NonErrorThrown', message: `${kindOf(thrown)} was thrown` };
    return { name: shortened(thrown.name), message: shortened(thrown.message) };
  } catch {
    return { name: 'UnreadableError', message: 'the thrown value could not be read' };
  }
}

function kindOf(thrown: unknown): string {
  if (thrown === undefined || thrown === null) return String(thrown);
  return typeof thrown === 'object' ? 'an object' : `a ${typeof thrown}`;
}

/** `instanceof` misses the errors of another realm, such as an AbortError in a test runner. */
export function isErrorLike(thrown: unknown): thrown is Record<'name' | 'message', unknown> {
  return typeof thrown === 'object' && thrown !== null && 'name' in thrown && 'message' in thrown;
}

function shortened(text: unknown): string {
  return String(text).slice(0, MAX_LENGTH).toWellFormed();
}
