import { type EventIssue, InvalidEventError } from '../errors/errors.js';
import { UnknownScalekitEvent } from '../events/scalekit-event.base.js';
import type { ScalekitEvent } from '../events/scalekit-event.types.js';
import { rulesOf } from './compile-rules.js';
import { eventClassFor, hydrateEvent, isJsonObject } from './hydrate-event.js';
import { MESSAGES } from './parse.messages.js';
import { findIssues } from './validate-event.js';

/**
 * What becomes of an event whose `data` breaks its DTO's rules. The envelope is checked in every mode.
 *
 * - `strict`: it is refused
 * - `lenient`: it passes, and the findings go to the handler
 * - `off`: nobody looks
 */
export type ValidationMode = 'strict' | 'lenient' | 'off';

/** An event, and what the validation had to say about it. */
export interface ParsedEvent {
  readonly event: ScalekitEvent;
  /** Empty unless the mode is `lenient`. */
  readonly issues: readonly EventIssue[];
}

const ENVELOPE: ReadonlySet<string> = new Set(['id', 'type', 'occurred_at', 'data']);

/**
 * Turns the body of a delivery into an event.
 *
 * @throws InvalidEventError that tells which fields are wrong, and no values
 */
export function parseEvent(bytes: Uint8Array, mode: ValidationMode): ParsedEvent {
  const value = parseJson(bytes);
  if (!isJsonObject(value)) throw new InvalidEventError('not_an_event', MESSAGES.bodyIsNoObject);
  const event = hydrateEvent(value);
  const issues = findIssues(mode === 'off' ? UnknownScalekitEvent : eventClassFor(event.type), event);
  if (issues.length > 0) assertEnvelope(issues);
  if (mode === 'off') return { event, issues: [] };
  if (mode === 'strict' && issues.length > 0) {
    const findings = issues.map(({ path, rule }) => `${path} (${rule})`);
    throw new InvalidEventError('invalid_data', MESSAGES.dataIsInvalid(event.type, findings), issues);
  }
  return { event, issues };
}

/** The event of a body that was accepted before: it was judged then, and is not refused any more. */
export function parseReceivedEvent(bytes: Uint8Array, mode: ValidationMode): ParsedEvent {
  return parseEvent(bytes, mode === 'off' ? 'off' : 'lenient');
}

function assertEnvelope(found: readonly EventIssue[]): void {
  const issues = found.filter(concernsEnvelope);
  if (issues.length === 0) return;
  const paths = [...new Set(issues.map(({ path }) => path))];
  throw new InvalidEventError('not_an_event', MESSAGES.envelopeIsInvalid(paths), issues);
}

// A known event has rules of its own for `data`, which is a part of the envelope by the rules for any event alone.
function concernsEnvelope({ path, rule }: EventIssue): boolean {
  if (!ENVELOPE.has(path)) return false;
  return rulesOf(UnknownScalekitEvent).some(
    ({ name, rules }) => name === path && rules.some((declared) => declared.name === rule),
  );
}

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
