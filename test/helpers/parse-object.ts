import { type ParsedEvent, parseEvent, type ValidationMode } from '../../lib/parse/parse-event.js';

/** Parses the JSON of a value as an event. */
export function parseObject(value: unknown, mode: ValidationMode): ParsedEvent {
  return parseEvent(Buffer.from(JSON.stringify(value) ?? 'null'), mode);
}
