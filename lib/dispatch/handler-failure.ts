import { UnprocessableEntityException } from '@nestjs/common';
import { hasCode, NonRetryableEventError } from '../errors/errors.js';
import { escapeLine, withoutSecrets } from '../errors/safe-text.js';
import type { RunError } from '../inbox/inbox-queries.js';
import { MESSAGES } from './dispatch.messages.js';

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
    return hasCode(thrown, 'non_retryable');
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

/** What the log says about a thrown value. Each line begins with text of ours, so that no error can forge a line. */
export interface FailureReport {
  /** Its name and message, on one line. */
  readonly summary: string;
  /** Its stack, its causes and the parts of an AggregateError: lines that are all indented. Empty if it has none. */
  readonly details: string;
}

// Errors can be linked in any number and in circles, and their stacks can be of any length.
const MAX_DEPTH = 5;
const MAX_PARTS = 5;
const MAX_ERRORS = 20;
const MAX_FRAMES = 15;
const MAX_LINE_LENGTH = 300;
const MAX_STACK_LENGTH = 20_000;

/** Describes a thrown value for the log, within limits. Never throws. */
export function reportFailure(thrown: unknown): FailureReport {
  const details: string[] = [];
  try {
    addDetails(details, thrown, 0, new Set());
  } catch {
    // Report what could be read until then.
  }
  return { summary: summaryOf(thrown), details: details.join('\n') };
}

function addDetails(lines: string[], thrown: unknown, depth: number, seen: Set<unknown>): void {
  if (!isErrorLike(thrown)) return;
  seen.add(thrown);
  const indent = '  '.repeat(depth);
  for (const frame of framesOf(thrown)) lines.push(`${indent}    ${frame}`);
  const add = (label: string, error: unknown) => {
    if (depth === MAX_DEPTH || seen.size >= MAX_ERRORS) return;
    const isKnown = seen.has(error);
    lines.push(`${indent}  ${label}: ${summaryOf(error)}${isKnown ? ' (see above)' : ''}`);
    if (!isKnown) addDetails(lines, error, depth + 1, seen);
  };
  const errors = read(thrown, 'errors');
  const parts = Array.isArray(errors) ? errors.filter(isErrorLike) : [];
  for (const [index, part] of parts.slice(0, MAX_PARTS).entries()) {
    add(`Part ${index + 1} of ${parts.length}`, part);
  }
  const cause = read(thrown, 'cause');
  if (cause !== undefined) add('Caused by', cause);
}

/** The lines of a stack that name code. The others repeat the message, which can have any number of lines. */
function framesOf(error: object): string[] {
  const stack = read(error, 'stack');
  if (typeof stack !== 'string') return [];
  return stack
    .slice(-MAX_STACK_LENGTH)
    .split('\n')
    .filter((line) => /^\s+at /.test(line))
    .slice(0, MAX_FRAMES)
    .map((line) => escapeLine(line.trim().slice(0, MAX_LINE_LENGTH)));
}

function summaryOf(thrown: unknown): string {
  const { name, message } = toRunError(thrown);
  const value = shownValue(thrown);
  return escapeLine(withoutSecrets(`${name}: ${message}${value ? `: ${value}` : ''}`));
}

/** A thrown value that is not an error. An object can contain a payload, so it is not shown. */
function shownValue(thrown: unknown): string | undefined {
  if (typeof thrown === 'string') return JSON.stringify(thrown.slice(0, MAX_LINE_LENGTH).toWellFormed());
  return ['number', 'bigint', 'boolean'].includes(typeof thrown) ? String(thrown) : undefined;
}

function read(error: object, name: string): unknown {
  try {
    return Reflect.get(error, name);
  } catch {
    return undefined;
  }
}

const INTERVAL_MS = 10_000;
// Error messages can contain anything, so their number has no limit of its own.
const MAX_CAUSES = 50;
const OTHER_CAUSES = 'other causes';

/** Writes a line, with a note at its end. It must not throw. */
type WriteLine = (note: string) => void;

/** Writes one line per cause and interval, and how many it held back, so that an outage does not flood the log. */
export class LogThrottle {
  readonly #held = new Map<string, { count: number; last: WriteLine }>();

  write(cause: string, write: WriteLine): void {
    const key = this.#held.has(cause) || this.#held.size < MAX_CAUSES ? cause : OTHER_CAUSES;
    const held = this.#held.get(key);
    if (held) {
      held.count += 1;
      held.last = write;
    } else {
      write('');
      this.#holdBack(key, write);
    }
  }

  /** Holds back the lines of a cause for an interval, and for another one if there were any. */
  #holdBack(cause: string, written: WriteLine): void {
    const held = { count: 0, last: written };
    this.#held.set(cause, held);
    const timer = setTimeout(() => {
      this.#held.delete(cause);
      if (held.count === 0) return;
      held.last(MESSAGES.heldBack(held.count, INTERVAL_MS / 1000));
      this.#holdBack(cause, held.last);
    }, INTERVAL_MS);
    timer.unref();
  }
}
