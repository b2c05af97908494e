import type { ValidationMode } from '../../lib/parse/parse-event.js';
import { type ParsedEvent, parseEvent } from '../../lib/parse/parse-event.js';

/** The event that the JSON of a value is. */
export function parseObject(value: unknown, mode: ValidationMode): ParsedEvent {
  return parseEvent(Buffer.from(JSON.stringify(value) ?? 'null'), mode);
}
