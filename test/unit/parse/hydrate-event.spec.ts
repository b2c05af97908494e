import 'reflect-metadata';
import { describe, expect, it } from '@jest/globals';
import { plainToInstance } from 'class-transformer';
import fc from 'fast-check';
import { SCALEKIT_EVENT_TYPES, SCALEKIT_EVENTS } from '../../../lib/events/catalog.js';
import { DirectoryUserCreatedEvent, DirectoryUserGroup } from '../../../lib/events/directory.events.js';
import { OrganizationCreatedEvent, OrganizationFeature } from '../../../lib/events/organization.events.js';
import { UnknownScalekitEvent } from '../../../lib/events/scalekit-event.base.js';

import { hydrateEvent } from '../../../lib/parse/validate-event.js';
import { createScalekitEvent } from '../../../lib/samples/create-scalekit-event.js';

const TRAPS = [
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'toJSON',
  'length',
  'then',
  'hasOwnProperty',
];
const NESTED = [
  'id',
  'settings',
  'features',
  'organization',
  'user',
  'user_session',
  'session',
  'groups',
  'roles',
];

const field = fc.oneof(fc.string(), fc.constantFrom(...TRAPS, ...NESTED));
const { json } = fc.letrec<{ json: unknown }>((tie) => ({
  json: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.oneof(fc.string(), fc.double(), fc.boolean(), fc.constant(null)),
    fc.array(tie('json'), { maxLength: 4 }),
    fc.array(fc.tuple(field, tie('json')), { maxLength: 6 }).map((entries) => Object.fromEntries(entries)),
  ),
}));
const types = fc.oneof(
  fc.constantFrom<string>(...SCALEKIT_EVENT_TYPES),
  fc.constantFrom(...TRAPS, 'a.new_type'),
);

describe('hydrateEvent', () => {
  it('keeps every field of any JSON unchanged', () => {
    fc.assert(
      fc.property(types, json, (type, data) => {
        const text = JSON.stringify({ id: 'evt_1', type, data });
        expect(JSON.stringify(hydrateEvent(JSON.parse(text)))).toBe(text);
      }),
      { numRuns: 1000 },
    );
  });

  it('treats sample events like class-transformer', () => {
    for (const type of SCALEKIT_EVENT_TYPES) {
      const plain = JSON.parse(JSON.stringify(createScalekitEvent(type)));
      const ours = hydrateEvent(plain);
      expect(ours).toBeInstanceOf(SCALEKIT_EVENTS[type]);
      expect(ours).toStrictEqual(plainToInstance<object, unknown>(SCALEKIT_EVENTS[type], plain));
    }
  });

  it('turns the items of documented lists into DTOs', () => {
    const { data } = createScalekitEvent('organization.directory.user_created');
    expect(data.groups?.[0]).toBeInstanceOf(DirectoryUserGroup);
    const { settings } = createScalekitEvent('organization.created').data;
    expect(settings?.features?.[0]).toBeInstanceOf(OrganizationFeature);
  });

  it('leaves free-form objects unchanged', () => {
    const metadata = { deep: { deeper: [1] } };
    const event = hydrateEvent({ type: 'organization.created', ...{ data: { id: 'org_1', metadata } } });
    expect(event.data).toMatchObject({ metadata });
    expect(Reflect.get(event.data, 'metadata')).toBe(metadata);
  });

  it('keeps a field named __proto__ as a field', () => {
    const text =
      '{"type":"organization.created","__proto__":{"polluted":1},"data":{"__proto__":{"id":"org_9"},"id":"org_1"}}';
    const event = hydrateEvent(JSON.parse(text));
    expect(event).toBeInstanceOf(OrganizationCreatedEvent);
    expect('polluted' in event).toBe(false);
    expect(event.data).toMatchObject({ id: 'org_1' });
    expect(JSON.stringify(event)).toBe(text);
  });

  it.each(TRAPS)('treats an event of type %s as unknown', (type) => {
    expect(hydrateEvent({ type })).toBeInstanceOf(UnknownScalekitEvent);
  });

  it('leaves values of a wrong type unchanged', () => {
    const text =
      '{"type":"organization.directory.user_created","data":{"id":7,"groups":{"0":{"id":"a"}},"roles":[1,null,["x"]]}}';
    const event = hydrateEvent(JSON.parse(text));
    expect(event).toBeInstanceOf(DirectoryUserCreatedEvent);
    expect(JSON.stringify(event)).toBe(text);
  });
});
