import { describe, expect, it } from '@jest/globals';
import { SCALEKIT_EVENT_TYPES } from '../../../lib/events/catalog.js';
import { parseEvent } from '../../../lib/parse/parse-event.js';
import { DRIFTED_EVENTS } from '../../fixtures/drifted-events.js';

describe('events that differ from the API reference', () => {
  it('exist for every known type', () => {
    expect(DRIFTED_EVENTS.length).toBeGreaterThanOrEqual(60);
    const types = new Set(DRIFTED_EVENTS.map(({ body }) => body.type));
    expect(SCALEKIT_EVENT_TYPES.filter((type) => !types.has(type))).toEqual([]);
    expect(new Set(DRIFTED_EVENTS.map(({ body }) => body.id)).size).toBe(DRIFTED_EVENTS.length);
  });

  it.each(DRIFTED_EVENTS)('are accepted in strict mode, unchanged: $name', ({ body }) => {
    const text = JSON.stringify(body);
    const { event, issues } = parseEvent(Buffer.from(text), 'strict');
    expect(issues).toEqual([]);
    expect(JSON.stringify(event)).toBe(text);
  });
});
