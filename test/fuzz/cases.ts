import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import { OTHER_SECRET } from '../helpers/secrets.js';
import {
  MAX_BODY_BYTES,
  nowInSeconds,
  PATH,
  randomBody,
  randomEvent,
  signedDelivery,
  validDelivery,
} from './deliveries.js';
import { type Expected, type FuzzCase, type FuzzRequest, withHeaders } from './fuzz-request.js';
import {
  headerGarbled,
  headerRepeated,
  headersDropped,
  headersOfAnotherDelivery,
  severalSignatures,
  unusualHeader,
} from './header-cases.js';
import { TOLERANCE_SECONDS } from './oracle.js';
import { hugeJson, invalidJson, unusualJson } from './payloads.js';
import { Random } from './random.js';

type Maker = (random: Random) => readonly [request: FuzzRequest, expected: Expected];

/** How to make each kind of request, with its weight: how often it comes up. */
const KINDS: Readonly<Record<string, readonly [weight: number, make: Maker]>> = {
  valid: [20, (random) => [validDelivery(random), 'accepted']],
  'delivered again': [3, (random) => [deliveredAgain(random), 'accepted']],
  'bit flipped': [10, (random) => [damagedBody(random, flipped), 401]],
  'body cut': [
    4,
    (random) => [damagedBody(random, (body) => body.subarray(0, random.int(0, body.length - 1))), 401],
  ],
  'body longer': [
    3,
    (random) => [damagedBody(random, (body) => Buffer.concat([body, random.bytes(random.int(1, 9))])), 401],
  ],
  'other secret': [
    4,
    (random) => [signedDelivery(random, randomBody(random), { secret: OTHER_SECRET, scheme: 'both' }), 401],
  ],
  'headers dropped': [5, (random) => [headersDropped(random), 'either']],
  'header garbled': [10, (random) => [headerGarbled(random), 'either']],
  'header repeated': [5, (random) => [headerRepeated(random), 'either']],
  'unusual header': [3, (random) => [unusualHeader(random), 'either']],
  'headers of another delivery': [3, (random) => [headersOfAnotherDelivery(random), 401]],
  'several signatures': [3, severalSignatures],
  'timestamp outside the tolerance': [
    3,
    (random) => [signedAt(random, String(nowInSeconds() + farFromNow(random))), 401],
  ],
  'timestamp within the tolerance': [
    2,
    (random) => [signedAt(random, String(nowInSeconds() + random.int(-280, 280))), 'accepted'],
  ],
  'timestamp garbled': [3, (random) => [signedAt(random, garbledTimestamp(random)), 401]],
  'content type': [4, contentType],
  'content encoding': [4, encoded],
  'content encoding garbled': [3, encodingGarbled],
  'signed, not JSON': [4, (random) => [signedDelivery(random, invalidJson(random)), 400]],
  'signed, unusual JSON': [
    8,
    (random) => [signedDelivery(random, Buffer.from(unusualJson(random))), 'either'],
  ],
  'signed, huge JSON': [0.3, (random) => [signedDelivery(random, Buffer.from(hugeJson(random))), 'either']],
  'size limit': [0.1, sizeLimit],
  'other method or path': [4, (random) => [otherMethodOrPath(random), 'either']],
};

const TOTAL_WEIGHT = Object.values(KINDS).reduce((total, [weight]) => total + weight, 0);

/** The case with this number. The same seed gives the same case, except for timestamps and signatures. */
export function fuzzCase(seed: number, index: number): FuzzCase {
  const random = new Random(seed, index);
  let place = random.next() * TOTAL_WEIGHT;
  for (const [kind, [weight, make]] of Object.entries(KINDS)) {
    place -= weight;
    if (place >= 0) continue;
    const [request, expected] = make(random);
    return { kind, request, expected };
  }
  throw new Error('The weights do not add up');
}

/** One of a hundred events, so that most are delivered several times. */
function deliveredAgain(random: Random): FuzzRequest {
  const event = { ...randomEvent(random), id: `evt_again_${random.int(0, 99)}` };
  return signedDelivery(random, Buffer.from(JSON.stringify(event)));
}

function flipped(body: Buffer, random: Random): Buffer {
  const copy = Buffer.from(body);
  const place = random.int(0, copy.length - 1);
  copy[place] = (copy[place] ?? 0) ^ (1 << random.int(0, 7));
  return copy;
}

function damagedBody(random: Random, damage: (body: Buffer, random: Random) => Buffer): FuzzRequest {
  const request = validDelivery(random);
  return { ...request, body: damage(request.body, random) };
}

function farFromNow(random: Random): number {
  return random.pick([-1, 1]) * random.int(TOLERANCE_SECONDS + 30, 10 ** random.int(3, 9));
}

function signedAt(random: Random, timestamp: string): FuzzRequest {
  const scheme = random.pick(['standard', 'scalekit'] as const);
  return signedDelivery(random, randomBody(random), { timestamp, scheme });
}

/** The signature covers it, so only its format is wrong. */
function garbledTimestamp(random: Random): string {
  const now = nowInSeconds();
  return random.pick([
    `${now}.0`,
    `+${now}`,
    `-${now}`,
    `${now}000`,
    `0x${now.toString(16)}`,
    `${now / 1e9}e9`,
    `${now}n`,
    `${now}${random.text(1).replace(/[\d\s,=]/, 'x')}`.replace(/\d$/, 'x'),
    '0',
    'NaN',
    'Infinity',
    '-0',
    '9'.repeat(random.int(10, 400)),
    new Date().toISOString(),
  ]);
}

function contentType(random: Random): [FuzzRequest, Expected] {
  const request = validDelivery(random);
  const [type, expected] = random.pick<readonly [type: string | undefined, expected: Expected]>([
    ['application/json; charset=utf-8', 'accepted'],
    ['Application/JSON', 'accepted'],
    ['application/cloudevents+json', 'accepted'],
    ['application/json;', 'accepted'],
    [undefined, 415],
    ['', 415],
    ['text/plain', 415],
    ['text/json', 415],
    ['application/x-www-form-urlencoded', 415],
    ['multipart/form-data; boundary=x', 415],
    ['application/xml', 415],
    ['application/jsonp', 415],
    ['application/octet-stream', 415],
    ['*/*', 415],
    [random.text(20).replaceAll('/', ''), 415],
    ['application/json, text/plain', 'either'],
    ['application/json; charset=utf-16', 'either'],
    ['application/json; charset="', 'either'],
  ]);
  return [withHeaders(request, ['Content-Type', type]), expected];
}

function encoded(random: Random): [FuzzRequest, Expected] {
  const request = validDelivery(random);
  const [encoding, body] = random.pick<() => readonly [string, Buffer]>([
    () => ['gzip', gzipSync(request.body)],
    () => ['GZIP', gzipSync(request.body)],
    () => ['x-gzip', gzipSync(request.body)],
    () => ['deflate', deflateSync(request.body)],
    () => ['br', brotliCompressSync(request.body)],
    () => ['identity', request.body],
  ])();
  return [{ ...withHeaders(request, ['Content-Encoding', encoding]), body }, 'accepted'];
}

function encodingGarbled(random: Random): [FuzzRequest, Expected] {
  const request = validDelivery(random);
  const zipped = gzipSync(request.body);
  const [encoding, body, expected] = random.pick<() => readonly [string, Buffer, Expected]>([
    () => ['gzip', random.bytes(random.int(0, 300)), 400],
    () => ['gzip', request.body, 400],
    () => ['gzip', zipped.subarray(0, random.int(1, zipped.length - 1)), 400],
    () => ['gzip', flipped(zipped, random), 'either'],
    () => ['gzip', Buffer.concat([zipped, random.bytes(random.int(1, 50))]), 400],
    () => ['gzip', Buffer.alloc(0), 400],
    () => ['deflate', deflateRawSync(request.body), 400],
    () => ['br', zipped, 400],
    () => ['gzip, gzip', gzipSync(zipped), 415],
    () => ['compress', zipped, 415],
    () => ['__proto__', zipped, 415],
    () => ['constructor', zipped, 415],
    () => [random.text(8).replace(/^/, 'x'), zipped, 415],
    () => ['zstd', zipped, 415],
  ])();
  return [{ ...withHeaders(request, ['Content-Encoding', encoding]), body }, expected];
}

function sizeLimit(random: Random): [FuzzRequest, Expected] {
  const event = JSON.stringify(randomEvent(random));
  const padded = (length: number) => Buffer.from(event.padEnd(length, ' '));
  return random.pick<() => [FuzzRequest, Expected]>([
    () => [signedDelivery(random, padded(MAX_BODY_BYTES)), 'accepted'],
    () => [signedDelivery(random, padded(MAX_BODY_BYTES + 1)), 413],
    () => [signedDelivery(random, padded(3 * MAX_BODY_BYTES)), 413],
    () => {
      const bomb = padded(32 * MAX_BODY_BYTES);
      const request = withHeaders(signedDelivery(random, bomb), ['Content-Encoding', 'gzip']);
      return [{ ...request, body: gzipSync(bomb) }, 413];
    },
  ])();
}

function otherMethodOrPath(random: Random): FuzzRequest {
  const request = validDelivery(random);
  const encodedLetter = `${PATH.slice(0, -1)}%74`;
  return random.pick<() => FuzzRequest>([
    () => ({
      ...request,
      method: random.pick(['GET', 'HEAD', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'PROPFIND']),
    }),
    () => ({ ...request, path: `${PATH}?${encodeURIComponent(random.text(20))}` }),
    () => ({ ...request, path: `${PATH}?__proto__[x]=1&a[b][c]=1` }),
    () => ({
      ...request,
      path: random.pick([
        `${PATH}/`,
        `${PATH}//`,
        `/${PATH}`,
        PATH.toUpperCase(),
        encodedLetter,
        `${PATH}%2f`,
        `${PATH}%`,
        `${PATH}%zz`,
        `${PATH}%00`,
        `${PATH}/..`,
        `/x/..${PATH}`,
        `${PATH};x=1`,
        `${PATH}#x`,
        `${PATH}#?x`,
        `http://127.0.0.1${PATH}`,
        `http://127.0.0.1${PATH}?x`,
        `//127.0.0.1${PATH}`,
        `${PATH}${'/x'.repeat(random.int(1, 500))}`,
        `${PATH}?${'x'.repeat(random.int(1, 5000))}`,
        '/',
        '*',
      ]),
    }),
  ])();
}
