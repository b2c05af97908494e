import { type EventIssue, InvalidEventError } from '../errors/errors.js';
import { UnknownScalekitEvent } from '../events/scalekit-event.base.js';
import type { ScalekitEvent } from '../events/scalekit-event.types.js';
import { eventClassFor, findIssues, hydrateEvent, isJsonObject, rulesOf, typeOf } from './validate-event.js';

/** Error messages: what happened, then what to do. None contains a payload or a value of a field. */
const MESSAGES = {
  bodyIsNotUtf8: 'The body is not valid UTF-8.',
  bodyIsNotJson: 'The body is not valid JSON.',
  bodyIsNotAnObject: 'The body is not a JSON object, which every Scalekit event is.',
  envelopeIsInvalid: (paths: readonly string[]) =>
    `The body is not a Scalekit event: ${paths.join(', ')} missing or invalid. An event has the strings id, type and occurred_at, and the object data.`,
  fieldsAreInvalid: (type: string, issues: readonly string[]) =>
    `The ${type} event has invalid fields: ${issues.join(', ')}. To accept such events, set validation to 'lenient'; ` +
    'handlers then find the issues in delivery.issues.',
} as const;

/**
 * How events are validated. The envelope (`id`, `type`, `occurred_at`, `data`) is validated in every mode.
 *
 * - `strict`: an event that breaks a rule of its DTO is rejected
 * - `lenient`: the event is accepted, and the handler receives the issues
 * - `off`: only the envelope is validated
 */
export type ValidationMode = 'strict' | 'lenient' | 'off';

/** An event and the issues that validation found. */
export interface ParsedEvent {
  readonly event: ScalekitEvent;
  /** Always empty unless the mode is `lenient`. */
  readonly issues: readonly EventIssue[];
}

/**
 * Parses and validates the body of a delivery.
 *
 * @throws InvalidEventError that names the invalid fields, but not their values.
 */
export function parseEvent(bytes: Uint8Array, mode: ValidationMode): ParsedEvent {
  const value = parseJson(bytes);
  if (!isJsonObject(value)) throw new InvalidEventError('not_an_event', MESSAGES.bodyIsNotAnObject);
  const event = hydrateEvent(value);
  const issues = findIssues(mode === 'off' ? UnknownScalekitEvent : eventClassFor(typeOf(event)), event);
  if (issues.length > 0) requireEnvelope(issues);
  if (mode === 'off') return { event, issues: [] };
  if (mode === 'strict' && issues.length > 0) {
    const found = issues.map(({ path, rule }) => `${path} (${rule})`);
    throw new InvalidEventError('invalid_data', MESSAGES.fieldsAreInvalid(event.type, found), issues);
  }
  return { event, issues };
}

/** Parses the body of an event that was accepted before, and is therefore never rejected for an invalid field. */
export function parseReceivedEvent(bytes: Uint8Array, mode: ValidationMode): ParsedEvent {
  return parseEvent(bytes, mode === 'off' ? 'off' : 'lenient');
}

const UTF_8 = new TextDecoder('utf-8', { fatal: true });

/**
 * Parses JSON from UTF-8 bytes, with or without a byte order mark. Invalid UTF-8 is rejected, never replaced.
 *
 * @throws InvalidEventError `not_json`
 */
export function parseJson(bytes: Uint8Array): unknown {
  const text = decode(bytes);
  try {
    return JSON.parse(text);
  } catch {
    // The SyntaxError quotes the payload, so it must not become the cause.
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

const ENVELOPE: ReadonlySet<string> = new Set(['id', 'type', 'occurred_at', 'data']);

function requireEnvelope(found: readonly EventIssue[]): void {
  const issues = found.filter(concernsEnvelope);
  if (issues.length === 0) return;
  const paths = [...new Set(issues.map(({ path }) => path))];
  throw new InvalidEventError('not_an_event', MESSAGES.envelopeIsInvalid(paths), issues);
}

/** Known events have more rules for `data`. Rules that an unknown event has as well belong to the envelope. */
function concernsEnvelope({ path, rule }: EventIssue): boolean {
  if (!ENVELOPE.has(path)) return false;
  return rulesOf(UnknownScalekitEvent).some(
    ({ name, rules }) => name === path && rules.some((declared) => declared.name === rule),
  );
}
