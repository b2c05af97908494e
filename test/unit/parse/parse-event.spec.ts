import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { InvalidEventError } from '../../../lib/errors/errors.js';
import { SCALEKIT_EVENT_TYPES } from '../../../lib/events/catalog.js';
import { OrganizationCreatedEvent } from '../../../lib/events/organization.events.js';
import { UnknownScalekitEvent } from '../../../lib/events/scalekit-event.base.js';
import { parseEvent, parseReceivedEvent, type ValidationMode } from '../../../lib/parse/parse-event.js';
import { createScalekitEvent } from '../../../lib/samples/create-scalekit-event.js';
import { parseObject } from '../../helpers/parse-object.js';

const MODES: readonly ValidationMode[] = ['strict', 'lenient', 'off'];
const envelope = { id: 'evt_1', type: 'organization.created', occurred_at: '2026-02-03T04:05:06Z' };
const valid = { ...envelope, data: { id: 'org_1' } };

function refusal(value: unknown, mode: ValidationMode = 'strict'): InvalidEventError {
  try {
    parseObject(value, mode);
  } catch (error) {
    if (error instanceof InvalidEventError) return error;
    throw error;
  }
  throw new Error('the event was not refused');
}

describe('the envelope', () => {
  it.each([[null], [[]], [[valid]], ['text'], [7], [true], [undefined]])(
    'is refused when it is %j',
    (value) => {
      for (const mode of MODES)
        expect(refusal(value, mode)).toMatchObject({ code: 'not_an_event', issues: [] });
    },
  );

  it.each(['id', 'type', 'occurred_at', 'data'])('is refused without a usable %s, in every mode', (name) => {
    for (const value of [undefined, null, '', 7, true, []]) {
      for (const mode of MODES) {
        const error = refusal({ ...valid, [name]: value }, mode);
        expect(error.code).toBe('not_an_event');
        expect(new Set(error.issues.map(({ path }) => path))).toEqual(new Set([name]));
      }
    }
  });

  it.each([
    ['too long', 'x'.repeat(256)],
    ['with a line break', 'evt_1\nforged log line'],
    ['with NUL', 'evt_\u0000'],
    ['with an escape sequence', 'evt_\u001b[31m'],
    ['with a bidirectional control character', 'evt_\u202e1'],
    ['with half a surrogate pair', 'evt_\ud800'],
    ['with a line separator', 'evt_\u2028'],
  ])('is refused with an id or type %s', (_name, text) => {
    expect(refusal({ ...valid, id: text }).code).toBe('not_an_event');
    expect(refusal({ ...valid, type: text }).code).toBe('not_an_event');
  });

  it('is refused with a type that only looks like a known one', () => {
    for (const mode of MODES) {
      expect(refusal({ ...valid, type: [valid.type], data: {} }, mode)).toMatchObject({
        code: 'not_an_event',
        issues: [
          { path: 'type', rule: 'isString' },
          { path: 'type', rule: 'matches' },
        ],
      });
    }
  });

  it('is reported on its own, and in the same way in every mode', () => {
    const broken = { ...valid, id: 7, spec_version: 7, data: null };
    for (const mode of MODES) {
      expect(refusal(broken, mode).issues).toEqual([
        { path: 'data', rule: 'isObject' },
        { path: 'id', rule: 'isString' },
        { path: 'id', rule: 'matches' },
      ]);
    }
  });

  it('is accepted with an id of 255 characters in any script', () => {
    const id = 'é🙂 a'.repeat(64).slice(0, 255);
    expect(parseObject({ ...valid, id }, 'strict').event.id).toBe(id);
  });

  it('is refused in strict mode if an optional field has the wrong type', () => {
    const error = refusal({ ...valid, spec_version: 1, organization_id: {} });
    expect(error.code).toBe('invalid_data');
    expect(error.issues).toEqual([
      { path: 'spec_version', rule: 'isString' },
      { path: 'organization_id', rule: 'isString' },
    ]);
  });
});

describe('the validation modes', () => {
  const bad = {
    ...envelope,
    data: { id: 7, settings: { features: [{ name: 'a' }, { name: 5, enabled: 'yes' }] }, metadata: [] },
  };
  const issues = [
    { path: 'data', rule: 'hasIdentity' },
    { path: 'data.id', rule: 'isString' },
    { path: 'data.metadata', rule: 'isObject' },
    { path: 'data.settings.features.1.enabled', rule: 'isBoolean' },
    { path: 'data.settings.features.1.name', rule: 'isString' },
  ];

  it('strict refuses the event and names each field and rule', () => {
    const error = refusal(bad);
    expect(error.code).toBe('invalid_data');
    expect([...error.issues].sort((a, b) => a.path.localeCompare(b.path))).toEqual(issues);
    for (const { path } of issues) expect(error.message).toContain(path);
  });

  it('lenient accepts the event and returns the issues', () => {
    const parsed = parseObject(bad, 'lenient');
    expect(parsed.event).toBeInstanceOf(OrganizationCreatedEvent);
    expect([...parsed.issues].sort((a, b) => a.path.localeCompare(b.path))).toEqual(issues);
  });

  it('off accepts the event without issues', () => {
    expect(parseObject(bad, 'off')).toMatchObject({ issues: [], event: { data: { id: 7 } } });
  });

  it.each(MODES)('%s finds no issues in a valid event', (mode) => {
    expect(parseObject(valid, mode).issues).toEqual([]);
  });

  it('never reveal a value', () => {
    const secret = 'private-value';
    const error = refusal({
      ...envelope,
      type: 'organization.domain_created',
      data: { domain: [secret], txt_record_secret: { [secret]: secret } },
    });
    expect(`${error.message}${JSON.stringify(error.issues)}${error.stack}`).not.toContain(secret);
    const envelopeError = refusal({ ...valid, id: `${secret}\n` });
    expect(`${envelopeError.message}${JSON.stringify(envelopeError)}${envelopeError.stack}`).not.toContain(
      secret,
    );
  });
});

describe('parseReceivedEvent', () => {
  it('refuses no event for its data, whatever the mode', () => {
    const bytes = Buffer.from(JSON.stringify({ ...envelope, data: {} }));
    const issues = [{ path: 'data', rule: 'hasIdentity' }];
    expect(parseReceivedEvent(bytes, 'strict').issues).toEqual(issues);
    expect(parseReceivedEvent(bytes, 'lenient').issues).toEqual(issues);
    expect(parseReceivedEvent(bytes, 'off').issues).toEqual([]);
  });
});

describe('parseEvent of an object', () => {
  it('accepts a parsed event', () => {
    for (const type of SCALEKIT_EVENT_TYPES) {
      const event = createScalekitEvent(type);
      expect(parseObject(event, 'strict').event).toStrictEqual(event);
    }
  });

  it('accepts an event of an unknown type with any data', () => {
    const { event, issues } = parseObject({ ...envelope, type: 'organization.merged', data: {} }, 'strict');
    expect(event).toBeInstanceOf(UnknownScalekitEvent);
    expect(issues).toEqual([]);
  });

  it.each(['constructor', '__proto__', 'toString', 'hasOwnProperty'])(
    'does not know a type named %s',
    (type) => {
      expect(parseObject({ ...valid, type }, 'strict').event).toBeInstanceOf(UnknownScalekitEvent);
    },
  );

  it('does not look for the identity in a prototype', () => {
    const data = JSON.parse('{"__proto__":{"id":"org_1"},"constructor":{"name":"x"}}');
    expect(refusal({ ...envelope, data }).issues).toEqual([{ path: 'data', rule: 'hasIdentity' }]);
  });

  it('validates in the same way whatever the names of the fields', () => {
    for (const value of [null, 1, 'x', {}, { prototype: null }]) {
      const names = ['constructor', 'then', 'length', 'toString', 'hasOwnProperty'];
      const traps = Object.fromEntries(names.map((name) => [name, value]));
      const event = {
        ...valid,
        ...traps,
        data: { id: 'org_1', ...traps, organization: { ...traps, id: 5 } },
      };
      expect(refusal(event).issues).toEqual([{ path: 'data.organization.id', rule: 'isString' }]);
    }
  });

  it('returns an event or throws an InvalidEventError for any JSON', () => {
    const data = fc.oneof(
      fc.jsonValue(),
      fc.dictionary(
        fc.constantFrom('id', 'settings', 'groups', 'roles', 'user', 'constructor', 'x'),
        fc.jsonValue(),
      ),
    );
    fc.assert(
      fc.property(
        fc.constantFrom(...SCALEKIT_EVENT_TYPES),
        data,
        fc.constantFrom(...MODES),
        (type, data, mode) => {
          try {
            parseObject({ ...envelope, type, data }, mode);
          } catch (error) {
            expect(error).toBeInstanceOf(InvalidEventError);
          }
        },
      ),
      { numRuns: 1000 },
    );
  });
});

describe('parseEvent with a hostile payload', () => {
  const depth = 200_000;
  const arrays = '['.repeat(depth) + ']'.repeat(depth);
  const objects = `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`;
  const body = (type: string, field: string, json: string) =>
    Buffer.from(`{"id":"evt_1","type":"${type}","occurred_at":"2026","data":{"id":"x","${field}":${json}}}`);

  it.each(['settings', 'metadata', 'organization', 'external_id', 'something_new'])(
    'accepts any nesting depth in %s of an organization',
    (field) => {
      for (const json of [arrays, objects, `{"features":${arrays}}`, `{"features":[${objects}]}`]) {
        const parsed = parseEvent(body('organization.created', field, json), 'lenient');
        expect(parsed.event.id).toBe('evt_1');
      }
    },
  );

  it.each(['groups', 'roles', 'address', 'name'])(
    'accepts any nesting depth in %s of a directory user',
    (field) => {
      for (const json of [arrays, objects, `[${arrays}]`, `[${objects}]`]) {
        const parsed = parseEvent(body('organization.directory.user_created', field, json), 'lenient');
        expect(parsed.event.id).toBe('evt_1');
      }
    },
  );

  it('reports an issue that all items of a long list share only for the first item', () => {
    const groups = JSON.stringify([
      { id: 'a' },
      ...Array.from({ length: 50_000 }, () => ({ id: 1 })),
      'x',
      'x',
    ]);
    const parsed = parseEvent(body('organization.directory.user_created', 'groups', groups), 'lenient');
    expect(parsed.issues).toEqual([
      { path: 'data.groups', rule: 'isObject' },
      { path: 'data.groups.1.id', rule: 'isString' },
      { path: 'data.groups.50001', rule: 'nestedValidation' },
    ]);
  });
});
