import { describe, expect, it } from '@jest/globals';
import { InvalidEventError } from '../../lib/errors/errors.js';
import { SCALEKIT_EVENT_TYPES, SCALEKIT_EVENTS } from '../../lib/events/catalog.js';
import { parseObject } from '../helpers/parse-object.js';
import { ENVELOPE_FACTS, FACTS, type Fact, type Facts, isList } from './scalekit-facts.table.js';

const VALUES: Readonly<Record<string, unknown>> = {
  string: 'text',
  number: 7,
  boolean: true,
  array: [],
  object: {},
};

function jsonTypeOf(fact: Fact): string {
  if (typeof fact === 'string') return fact;
  return Array.isArray(fact) ? 'array' : 'object';
}

/** Every documented field with its path and type. The path of a list continues with its first item. */
function pathsOf(facts: Facts, parent: readonly string[] = []): [path: readonly string[], type: string][] {
  return Object.entries(facts).flatMap(([name, fact]) => {
    const path = [...parent, name];
    const here: [readonly string[], string] = [path, jsonTypeOf(fact)];
    if (typeof fact === 'string') return [here];
    return [here, ...(isList(fact) ? pathsOf(fact[0], [...path, '0']) : pathsOf(fact, path))];
  });
}

function nest(path: readonly string[], value: unknown): object {
  const [first = '', ...rest] = path;
  const inner = rest.length === 0 ? value : nest(rest, value);
  return first === '0' ? [inner] : { [first]: inner };
}

function withIdentity(data: object, identity: object): object {
  const merged = new Map<string, unknown>(Object.entries(identity));
  for (const [name, value] of Object.entries(data)) {
    const base = merged.get(name);
    const bothObjects = [base, value].every(
      (side) => Object.prototype.toString.call(side) === '[object Object]',
    );
    merged.set(name, bothObjects ? { ...Object(base), ...Object(value) } : value);
  }
  return Object.fromEntries(merged);
}

function outcome(type: string, data: object, envelope: object = {}): string[] {
  const event = { id: 'evt_1', type, occurred_at: '2026-02-03T04:05:06Z', data, ...envelope };
  try {
    parseObject(event, 'strict');
    return ['accepted'];
  } catch (error) {
    if (!(error instanceof InvalidEventError)) throw error;
    return error.issues.map(({ path }) => path);
  }
}

describe('the catalog', () => {
  it('has exactly the 50 types of the table', () => {
    expect([...SCALEKIT_EVENT_TYPES].sort()).toEqual([...FACTS.keys()].sort());
    expect(SCALEKIT_EVENT_TYPES).toHaveLength(50);
  });

  it('is frozen', () => {
    expect(Object.isFrozen(SCALEKIT_EVENTS)).toBe(true);
    expect(Object.isFrozen(SCALEKIT_EVENT_TYPES)).toBe(true);
  });
});

describe.each([...FACTS])('%s', (type, { dto, data, identities }) => {
  const paths = pathsOf(data);
  const [identity = {}, ...others] = identities;

  it(`becomes a ${dto}`, () => {
    const { event } = parseObject(
      { id: 'evt_1', type, occurred_at: '2026-02-03T04:05:06Z', data: identity },
      'strict',
    );
    expect(event.constructor.name).toBe(dto);
  });

  it('is accepted with any identity and nothing else', () => {
    for (const least of [identity, ...others])
      expect([least, outcome(type, least)]).toEqual([least, ['accepted']]);
  });

  it.each([[{}], [{ foo: 1 }], [{ id: '' }], [{ id: null }], [{ metadata: { id: 'x' } }]])(
    'is refused if nothing identifies its data: %j',
    (nameless) => {
      expect(outcome(type, nameless)).toEqual(['data']);
    },
  );

  it('accepts each documented field with its type, or null', () => {
    for (const [path, jsonType] of paths) {
      // Replacing one identity field must leave another to identify the data.
      const spare =
        identities.find((candidate) => !(path[0] !== undefined && path[0] in candidate)) ?? identity;
      for (const value of [VALUES[jsonType], null]) {
        const body = withIdentity(nest(path, value), spare);
        expect([path, value, outcome(type, body)]).toEqual([path, value, ['accepted']]);
      }
    }
  });

  it('refuses each documented field with another JSON type and reports its path', () => {
    for (const [path, jsonType] of paths) {
      for (const [otherType, value] of Object.entries(VALUES)) {
        if (otherType === jsonType) continue;
        const found = outcome(type, withIdentity(nest(path, value), identity));
        expect([path, otherType, found]).toEqual([
          path,
          otherType,
          expect.arrayContaining([`data.${path.join('.')}`]),
        ]);
      }
    }
  });

  it('accepts each documented field of the envelope as a string or null', () => {
    for (const name of Object.keys(ENVELOPE_FACTS)) {
      if (['id', 'type', 'occurred_at'].includes(name)) continue;
      expect(outcome(type, identity, { [name]: 'text' })).toEqual(['accepted']);
      expect(outcome(type, identity, { [name]: null })).toEqual(['accepted']);
      expect(outcome(type, identity, { [name]: 7 })).toEqual([name]);
    }
  });
});
