import { InvalidEventError } from '../errors/invalid-event.error.js';
import type { ScalekitEvent } from '../events/scalekit-event.types.js';
import { UnknownScalekitEvent } from '../events/unknown.event.js';
import { MESSAGES } from '../scalekit-webhooks.messages.js';
import { rulesOf } from './compile-rules.js';
import type { EventIssue } from './event-issue.js';
import { eventClassFor, hydrateEvent } from './hydrate-event.js';
import { isJsonObject } from './is-json-object.js';
import { parseJson } from './parse-json.js';
import { findIssues } from './validate-event.js';
import type { ValidationMode } from './validation-mode.js';

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
