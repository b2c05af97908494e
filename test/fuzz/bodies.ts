import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { MAX_BODY_BYTES, randomEvent, signedDelivery, validDelivery } from './deliveries.js';
import { type FuzzRequest, type Header, withHeaders, withoutSignature } from './fuzz-request.js';
import { chunk, head, type MalformedCase } from './malformed.js';
import type { Random } from './random.js';

type Maker = (random: Random) => Omit<MalformedCase, 'kind'>;

const ENCODINGS: readonly (readonly [encoding: string, compress: (bytes: Buffer) => Buffer])[] = [
  ['gzip', gzipSync],
  ['deflate', deflateSync],
  ['br', brotliCompressSync],
];

const KINDS: Readonly<Record<string, Maker>> = {
  slow: (random) => slow(random, validDelivery(random), 201),
  'slow, compressed': (random) => slow(random, compressed(random, validDelivery(random)), 201),
  'slow, changed': (random) => slow(random, changed(validDelivery(random)), 401),
  'slow, not signed': (random) => ({
    ...slow(random, withoutSignature(validDelivery(random)), 401),
    // The server responds and closes the connection while the client still sends.
    mayBeSilent: true,
  }),
  withheld: (random) => ({ ...withheld(random, validDelivery(random)), after: 'destroy', mayBeSilent: true }),
  'withheld, compressed': (random) => ({
    ...withheld(random, compressed(random, validDelivery(random))),
    after: 'destroy',
    mayBeSilent: true,
  }),
  'withheld, not signed': (random) => withheld(random, withoutSignature(validDelivery(random)), 401),
  'withheld, compressed, not signed': (random) =>
    withheld(random, withoutSignature(compressed(random, validDelivery(random))), 401),
  'withheld, of another type': (random) =>
    withheld(random, withHeaders(validDelivery(random), ['Content-Type', 'text/plain']), 415),
  'oversized by its length': (random) => oversized(random, validDelivery(random), 413),
  'oversized by its length, not signed': (random) =>
    oversized(random, withoutSignature(validDelivery(random)), 401),
  'oversized in chunks': (random) => ({
    chunks: [
      head(validDelivery(random), [['Transfer-Encoding', 'chunked']]),
      ...Array.from({ length: 4 }, () =>
        chunk(Buffer.alloc(MAX_BODY_BYTES / 4 + random.int(1, 100_000), ' ')),
      ),
    ],
    after: 'wait',
    mayBeSilent: true,
  }),
  'oversized when decompressed': (random) => {
    const body = Buffer.from(
      JSON.stringify(randomEvent(random)).padEnd(MAX_BODY_BYTES * random.int(2, 16), ' '),
    );
    return complete(compressed(random, signedDelivery(random, body)), 413);
  },
  'followed by other bytes': (random) => {
    const request = compressed(random, validDelivery(random));
    return complete(
      { ...request, body: Buffer.concat([request.body, random.bytes(random.int(1, 50))]) },
      400,
    );
  },
  'in several members': (random) => {
    const request = withHeaders(validDelivery(random), ['Content-Encoding', 'gzip']);
    const cut = random.int(0, request.body.length);
    const members = [request.body.subarray(0, cut), request.body.subarray(cut)].map((part) => gzipSync(part));
    return complete({ ...request, body: Buffer.concat(members) }, 201);
  },
};

/** A request whose body comes slowly, stops, is compressed or too large. */
export function bodyCase(random: Random): MalformedCase {
  const [kind, make] = random.pick(Object.entries(KINDS));
  return { kind: `body ${kind}`, ...make(random) };
}

function compressed(random: Random, request: FuzzRequest): FuzzRequest {
  const [encoding, compress] = random.pick(ENCODINGS);
  return { ...withHeaders(request, ['Content-Encoding', encoding]), body: compress(request.body) };
}

function changed(request: FuzzRequest): FuzzRequest {
  return { ...request, body: Buffer.concat([request.body, Buffer.from(' ')]) };
}

function lengthOf(bytes: number): Header {
  return ['Content-Length', String(bytes)];
}

function complete(request: FuzzRequest, status: number): Omit<MalformedCase, 'kind'> {
  return {
    chunks: [head(request, [lengthOf(request.body.length)]), request.body],
    after: 'wait',
    statuses: [status],
  };
}

function slow(random: Random, request: FuzzRequest, status: number): Omit<MalformedCase, 'kind'> {
  const pieces = piecesOf(random, request.body);
  const framed: readonly (readonly [framing: Header, parts: Buffer[]])[] = [
    [lengthOf(request.body.length), pieces],
    [
      ['Transfer-Encoding', 'chunked'],
      [...pieces.map(chunk), chunk(Buffer.alloc(0))],
    ],
  ];
  const [framing, parts] = random.pick(framed);
  return { chunks: [head(request, [framing]), ...parts], after: 'wait', statuses: [status] };
}

function piecesOf(random: Random, body: Buffer): Buffer[] {
  const size = Math.ceil(body.length / random.int(2, 40));
  return Array.from({ length: Math.ceil(body.length / size) }, (_, index) =>
    body.subarray(index * size, (index + 1) * size),
  );
}

function withheld(random: Random, request: FuzzRequest, status?: number): Omit<MalformedCase, 'kind'> {
  const sent = request.body.subarray(0, random.int(0, request.body.length - 1));
  return {
    chunks: [head(request, [lengthOf(request.body.length)]), sent],
    after: 'wait',
    ...(status !== undefined && { statuses: [status] }),
  };
}

function oversized(random: Random, request: FuzzRequest, status: number): Omit<MalformedCase, 'kind'> {
  const length = MAX_BODY_BYTES + random.int(1, 10 ** random.int(0, 12));
  return {
    chunks: [head(request, [lengthOf(length)]), request.body],
    after: 'wait',
    statuses: [status],
  };
}
