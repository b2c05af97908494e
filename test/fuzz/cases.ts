import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import { OTHER_SECRET } from '../helpers/secrets.js';
import { nowInSeconds, PATH, randomEvent, signedDelivery, validDelivery } from './deliveries.js';
import { type Expected, type FuzzCase, type FuzzRequest, type Header, withHeaders } from './fuzz-request.js';
import { TOLERANCE_SECONDS } from './oracle.js';
import { hugeJson, notJson, oddJson } from './payloads.js';
import { Random } from './random.js';

type Maker = (random: Random) => readonly [request: FuzzRequest, expected: Expected];

const MAX_BODY_BYTES = 1024 * 1024;

/** Makers by kind, each with its weight. */
const KINDS: Readonly<Record<string, readonly [weight: number, make: Maker]>> = {
  valid: [20, (random) => [validDelivery(random), 'accepted']],
  'delivered again': [3, (random) => [deliveredAgain(random), 'accepted']],
  'byte flipped': [10, (random) => [damagedBody(random, flipped), 401]],
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
    (random) => [signedDelivery(random, eventBytes(random), { secret: OTHER_SECRET, scheme: 'both' }), 401],
  ],
  'header dropped': [5, (random) => [headerDropped(random), 'either']],
  'header garbled': [10, (random) => [headerGarbled(random), 'either']],
  'header repeated': [5, (random) => [headerRepeated(random), 'either']],
  'header odd': [3, (random) => [headerOdd(random), 'either']],
  'headers of another delivery': [3, (random) => [headersMixed(random), 401]],
  'signature list': [3, signatureList],
  'time out of tolerance': [3, (random) => [signedAt(random, String(nowInSeconds() + farOff(random))), 401]],
  'time within tolerance': [
    2,
    (random) => [signedAt(random, String(nowInSeconds() + random.int(-280, 280))), 'accepted'],
  ],
  'time garbled': [3, (random) => [signedAt(random, garbledTime(random)), 401]],
  'content type': [4, contentType],
  encoding: [4, encoded],
  'encoding garbled': [3, encodingGarbled],
  'signed, no json': [4, (random) => [signedDelivery(random, notJson(random)), 400]],
  'signed, odd json': [8, (random) => [signedDelivery(random, Buffer.from(oddJson(random))), 'either']],
  'signed, huge json': [0.3, (random) => [signedDelivery(random, Buffer.from(hugeJson(random))), 'either']],
  'size limit': [0.1, sizeLimit],
  'method or path': [4, (random) => [elsewhere(random), 'either']],
};

const TOTAL_WEIGHT = Object.values(KINDS).reduce((total, [weight]) => total + weight, 0);

/** The case of a number: the same one for the same seed, times and signatures aside. */
export function fuzzCase(seed: number, index: number): FuzzCase {
  const random = new Random(seed, index);
  let place = random.next() * TOTAL_WEIGHT;
  for (const [kind, [weight, make]] of Object.entries(KINDS)) {
    place -= weight;
    if (place >= 0) continue;
    const [request, expected] = make(random);
    return { kind, request, expected };
  }
  throw new Error('the weights do not add up');
}

function eventBytes(random: Random): Buffer {
  return Buffer.from(JSON.stringify(randomEvent(random)));
}

/** One of few events, so that most of them come again and again. */
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

function headerDropped(random: Random): FuzzRequest {
  const request = validDelivery(random);
  const headers = request.headers.filter(() => random.chance(0.7));
  return { ...request, headers };
}

function headerGarbled(random: Random): FuzzRequest {
  const request = validDelivery(random);
  const place = random.int(0, request.headers.length - 1);
  const headers = request.headers.map((header, index) =>
    index === place ? garbled(header, random) : header,
  );
  return { ...request, headers };
}

function garbled([name, value]: Header, random: Random): Header {
  const at = random.int(0, value.length);
  return random.pick<() => Header>([
    () => [name, ''],
    () => [name, random.text(random.int(1, 80))],
    () => [name, value.slice(0, at)],
    () => [name, `${value.slice(0, at)}${random.text(1)}${value.slice(at + 1)}`],
    () => [name, `${value.slice(0, at)}${String.fromCharCode(random.int(0x80, 0xff))}${value.slice(at)}`],
    () => [name, ` \t${value} `],
    () => [name, value.toUpperCase()],
    () => [name, value.toLowerCase()],
    () => [name, value.replace(/v1/, random.pick(['v0', 'v2', 'V1', 'v1a', 'v11']))],
    () => [name, value.replaceAll('=', '')],
    () => [name, `${value},`],
    () => [name, `${value}=`],
    () => [name, value.repeat(random.int(2, 20))],
    () => [name, `"${value}"`],
    () => [`${name}x`, value],
    () => [name.replaceAll('-', '_'), value],
  ])();
}

function headerRepeated(random: Random): FuzzRequest {
  const request = validDelivery(random);
  const [name, value] = random.pick(request.headers);
  const again: Header = [name, random.pick([value, '', random.text(20), garbled([name, value], random)[1]])];
  return {
    ...request,
    headers: random.chance(0.5) ? [...request.headers, again] : [again, ...request.headers],
  };
}

function headerOdd(random: Random): FuzzRequest {
  const request = validDelivery(random);
  const odd = random.pick<Header>([
    ['__proto__', 'x'],
    ['constructor', 'x'],
    ['x-forwarded-host', random.text(30)],
    ['x-http-method-override', 'GET'],
    ['cookie', random.text(2000)],
    ['authorization', 'Bearer x'],
    ['accept', 'text/html'],
    ['accept-version', '9.9.9'],
    ['range', 'bytes=0-1'],
    ['if-none-match', '*'],
    ['origin', 'null'],
    ['te', 'trailers'],
    ['transfer-encoding-x', 'chunked'],
    ['content-md5', random.text(5)],
  ]);
  return { ...request, headers: [odd, ...request.headers] };
}

function headersMixed(random: Random): FuzzRequest {
  return { ...validDelivery(random), body: eventBytes(random) };
}

/** Several signatures, as while a secret is being replaced; one that holds is enough. */
function signatureList(random: Random): [FuzzRequest, Expected] {
  const request = signedDelivery(random, eventBytes(random), { id: 'msg_list' });
  const [good = ''] = request.headers.flatMap(([name, value]) =>
    name === 'Webhook-Signature' ? [value] : [],
  );
  const others = Array.from({ length: random.int(1, 60) }, () =>
    random.pick([
      () => `v1,${random.bytes(32).toString('base64')}`,
      () => `v1a,${random.bytes(64).toString('base64')}`,
      () => `v1,${random.bytes(random.int(0, 40)).toString('base64')}`,
      () => random.text(10),
    ])(),
  );
  const withGood = random.chance(0.5);
  const list = withGood ? [...others, good, 'v1,'] : others;
  return [withHeaders(request, ['Webhook-Signature', list.join(' ')]), withGood ? 'accepted' : 401];
}

function farOff(random: Random): number {
  return random.pick([-1, 1]) * random.int(TOLERANCE_SECONDS + 30, 10 ** random.int(3, 9));
}

function signedAt(random: Random, timestamp: string): FuzzRequest {
  const scheme = random.pick(['standard', 'scalekit'] as const);
  return signedDelivery(random, eventBytes(random), { timestamp, scheme });
}

/** Signed all the same: only the format is wrong. */
function garbledTime(random: Random): string {
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
    () => ['gzip', Buffer.concat([zipped, random.bytes(random.int(1, 50))]), 'either'],
    () => ['gzip', Buffer.alloc(0), 'either'],
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

function elsewhere(random: Random): FuzzRequest {
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
