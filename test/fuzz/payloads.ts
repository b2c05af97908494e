import { randomEvent } from './deliveries.js';
import type { Random } from './random.js';

const UNUSUAL_KEYS = [
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'hasOwnProperty',
  'then',
  'length',
  '',
  '$',
  '\u0000',
];
const UNUSUAL_VALUES = [
  null,
  true,
  0,
  -1,
  1e308,
  '',
  'x'.repeat(5000),
  '\ud800',
  '\u202e',
  [],
  {},
  [[]],
  [null],
  '2026-02-30T25:61:61Z',
];
const FIELDS = [
  'id',
  'type',
  'data',
  'occurred_at',
  'object',
  'environment_id',
  'organization_id',
  'spec_version',
];

/** Valid JSON: damaged events, and values that are not events. */
export function unusualJson(random: Random): string {
  return random.pick(SHAPES)(random);
}

/** Bytes that are not JSON, or not quite. */
export function invalidJson(random: Random): Buffer {
  const text = JSON.stringify(randomEvent(random));
  return random.pick([
    () => Buffer.alloc(0),
    () => random.bytes(random.int(1, 400)),
    () => Buffer.from(text.slice(0, random.int(1, text.length - 1))),
    () => Buffer.from(`${text}${random.pick(['x', ',', '}', '\u0000', text])}`),
    () => Buffer.from(text.replace('"id"', "'id'")),
    () => Buffer.from(text, 'utf16le'),
    () => Buffer.concat([Buffer.from('{"id":"'), Buffer.from([0xc3, 0x28]), Buffer.from('"}')]),
    () => Buffer.from(new URLSearchParams({ payload: text }).toString()),
  ])();
}

const SHAPES: readonly ((random: Random) => string)[] = [
  // A field of the envelope replaced or removed.
  (random) =>
    JSON.stringify({
      ...randomEvent(random),
      [random.pick(FIELDS)]: random.pick([...UNUSUAL_VALUES, undefined]),
    }),
  // Fields at any depth replaced.
  (random) => JSON.stringify(damaged(randomEvent(random), random)),
  // Not an event at all.
  (random) => JSON.stringify(random.pick(UNUSUAL_VALUES)),
  (random) => JSON.stringify(randomValue(random, 4)),
  // An unusual key at any depth. It is inserted into the text, since JSON.stringify would lose `__proto__`.
  (random) => withUnusualKey(JSON.stringify(randomEvent(random)), random),
  (random) => withUnusualKey(JSON.stringify(damaged(randomEvent(random), random)), random),
  // The same key twice.
  (random) =>
    JSON.stringify(randomEvent(random)).replace(
      '{',
      `{"type":${JSON.stringify(random.pick(UNUSUAL_VALUES))},`,
    ),
  // An event within its data.
  (random) => JSON.stringify({ ...randomEvent(random), data: randomEvent(random) }),
  (random) => JSON.stringify({ ...randomEvent(random), data: [randomEvent(random)] }),
];

/** JSON so deep or so wide that naive recursion fails. */
export function hugeJson(random: Random): string {
  const depth = random.int(100, 60_000);
  const [open, close] = random.pick([
    ['[', ']'],
    ['{"user":', '}'],
    ['{"data":', '}'],
    ['{"groups":[', ']}'],
  ] as const);
  const nested = `${open.repeat(depth)}1${close.repeat(depth)}`;
  const wide = JSON.stringify(Array.from({ length: random.int(1000, 40_000) }, () => ({ id: 1 })));
  const event = { ...randomEvent(random), data: '@' };
  const inner = random.pick([
    nested,
    `{"user":${nested}}`,
    `{"id":"x","metadata":${nested}}`,
    `{"id":"x","groups":${wide},"roles":${wide}}`,
    wide,
  ]);
  return random.chance(0.2) ? nested : JSON.stringify(event).replace('"@"', () => inner);
}

function damaged(event: object, random: Random): object {
  const entries = Object.entries(event).map(([name, value]) => {
    if (random.chance(0.1)) return [name, random.pick(UNUSUAL_VALUES)];
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    return [name, isObject ? damaged(value, random) : value];
  });
  return Object.fromEntries(entries);
}

function randomValue(random: Random, depth: number): unknown {
  if (depth === 0 || random.chance(0.3)) return random.pick(UNUSUAL_VALUES);
  if (random.chance(0.4))
    return Array.from({ length: random.int(0, 4) }, () => randomValue(random, depth - 1));
  const names = Array.from({ length: random.int(0, 5) }, () =>
    random.pick([...FIELDS, ...UNUSUAL_KEYS, random.text(6)]),
  );
  return Object.fromEntries(names.map((name) => [name, randomValue(random, depth - 1)]));
}

function withUnusualKey(json: string, random: Random): string {
  const value = random.pick(['{"polluted":true}', '{"prototype":{"polluted":true}}', 'null', '1', '[]']);
  const places = Array.from(json.matchAll(/\{(?=")/g), ({ index }) => index + 1);
  const place = random.pick(places);
  return `${json.slice(0, place)}${JSON.stringify(random.pick(UNUSUAL_KEYS))}:${value},${json.slice(place)}`;
}
