import { describe, expect, it } from '@jest/globals';
import { SCALEKIT_EVENT_TYPES, SCALEKIT_EVENTS } from '../../lib/events/catalog.js';
import { UnknownScalekitEvent } from '../../lib/events/scalekit-event.base.js';
import { unlistedScalekitEvent } from '../../lib/events/scalekit-event.types.js';
import { parseEvent } from '../../lib/parse/parse-event.js';
import { createScalekitEvent } from '../../lib/samples/create-scalekit-event.js';

describe.each(SCALEKIT_EVENT_TYPES)('a sample %s event', (type) => {
  it('is an instance of its class, and its JSON is valid in strict mode', () => {
    const event = createScalekitEvent(type);
    expect(event).toBeInstanceOf(SCALEKIT_EVENTS[type]);
    const parsed = parseEvent(Buffer.from(JSON.stringify(event)), 'strict');
    expect(parsed.event).toStrictEqual(event);
  });

  it('is the same for the same seed, and different without one', () => {
    const json = (seed?: number | string) => JSON.stringify(createScalekitEvent(type, {}, { seed }));
    expect(json(1)).toBe(json(1));
    expect(json('a')).toBe(json('a'));
    expect(json(1)).not.toBe(json(2));
    expect(json()).not.toBe(json());
  });

  it('contains no placeholder, and no address outside example.com', () => {
    const json = JSON.stringify(createScalekitEvent(type, {}, { seed: 3 }));
    expect(json).not.toMatch(/#|"@/);
    for (const [, domain] of json.matchAll(/@([\w.]+)/g)) expect(domain).toBe('example.com');
  });
});

describe('createScalekitEvent', () => {
  it('gives events with the same seed different ids and the same organization', () => {
    const created = createScalekitEvent('organization.created', {}, { seed: 7 });
    const deleted = createScalekitEvent('organization.deleted', {}, { seed: 7 });
    expect(created.id).not.toBe(deleted.id);
    expect(created.data.id).toBe(deleted.data.id);
    expect(created.data.id).toBe(created.organization_id);
  });

  it('creates an event that happens now, or in 2025 with a seed', () => {
    const event = createScalekitEvent('user.login');
    const age = Date.now() - Date.parse(event.occurred_at);
    expect(age).toBeGreaterThanOrEqual(0);
    expect(age).toBeLessThan(10_000);
    const seeded = createScalekitEvent('user.login', {}, { seed: 1 }).occurred_at;
    expect(seeded).toMatch(/^2025-.*Z$/);
  });

  it('sets no organization for types that have none', () => {
    expect(createScalekitEvent('role.created')).not.toHaveProperty('organization_id');
    expect(createScalekitEvent('role.created', { organization_id: 'org_1' }).organization_id).toBe('org_1');
  });

  it('merges overrides into objects, replaces arrays, and removes undefined fields', () => {
    const event = createScalekitEvent('organization.directory.user_created', {
      id: 'evt_mine',
      environment_id: undefined,
      data: { email: 'mine@example.com', groups: [], address: { country: 'FR' }, raw_attributes: null },
    });
    expect(event.id).toBe('evt_mine');
    expect(event).not.toHaveProperty('environment_id');
    expect(event.data).toMatchObject({
      email: 'mine@example.com',
      name: 'Sample Employee',
      groups: [],
      address: { country: 'FR', locality: 'Example Town' },
      raw_attributes: null,
    });
  });

  it('shares no objects between events, and does not let overrides change the type', () => {
    const overrides = { id: 'evt_1', type: 'user.deleted' };
    const event = createScalekitEvent('user.created', overrides, { seed: 1 });
    expect(event.type).toBe('user.created');
    Object.assign(event.data.user ?? {}, { email: 'changed@example.com' });
    expect(createScalekitEvent('user.created', {}, { seed: 1 }).data.user?.email).not.toBe(
      'changed@example.com',
    );
  });

  it('keeps field names such as __proto__ in overrides', () => {
    const metadata = JSON.parse('{"__proto__":{"a":1},"constructor":null}');
    const event = createScalekitEvent('organization.created', { data: { metadata } });
    expect(JSON.stringify(event.data.metadata)).toContain('"__proto__":{"a":1},"constructor":null');
  });

  it('creates events of types that this version does not know', () => {
    const event = createScalekitEvent(
      unlistedScalekitEvent('organization.merged'),
      { data: { into: 'org_2' } },
      { seed: 1 },
    );
    expect(event).toBeInstanceOf(UnknownScalekitEvent);
    expect(event.type).toBe('organization.merged');
    expect(event.data).toMatchObject({ into: 'org_2' });
    expect(parseEvent(Buffer.from(JSON.stringify(event)), 'strict').event).toStrictEqual(event);
  });
});
