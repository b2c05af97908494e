import { gzipSync } from 'node:zlib';
import { PATH, validDelivery } from './deliveries.js';
import type { FuzzRequest, Header } from './fuzz-request.js';
import type { Random } from './random.js';

/** Bytes that HTTP clients would not send, for a connection of their own. */
export interface MalformedCase {
  readonly kind: string;
  /** Written one after another, with a pause in between. */
  readonly chunks: readonly Buffer[];
  /** What the client does next: wait, end its side of the connection, or drop the connection. */
  readonly after: 'wait' | 'end' | 'destroy';
  /** The status of each answer, if it is certain. Otherwise no answer may be a 2xx or a 5xx. */
  readonly statuses?: readonly number[];
  /** Whether the connection may end without an answer. */
  readonly mayBeSilent?: boolean;
  /** Whether it is a complete valid delivery, for which a 2xx is right. */
  readonly isComplete?: boolean;
}

type Maker = (random: Random, request: FuzzRequest) => Omit<MalformedCase, 'kind'>;

const KINDS: Readonly<Record<string, Maker>> = {
  'length too long, then ended': (_random, request) => ({
    chunks: [head(request, [['Content-Length', String(request.body.length + 10)]]), request.body],
    after: 'end',
    mayBeSilent: true,
  }),
  'length too long, then dropped': (_random, request) => ({
    chunks: [head(request, [['Content-Length', String(request.body.length + 10)]]), request.body],
    after: 'destroy',
    mayBeSilent: true,
  }),
  'length too short': (random, request) => ({
    chunks: [
      head(request, [['Content-Length', String(random.int(0, request.body.length - 1))]]),
      request.body,
    ],
    after: 'end',
  }),
  'length not a number': (random, request) => ({
    chunks: [
      head(request, [['Content-Length', random.pick(['x', '-1', '1e3', '0x10', '+5', '', '9'.repeat(30)])]]),
      request.body,
    ],
    after: 'end',
    mayBeSilent: true,
  }),
  'two lengths': (_random, request) => ({
    chunks: [
      head(request, [
        ['Content-Length', String(request.body.length)],
        ['Content-Length', '0'],
      ]),
      request.body,
    ],
    after: 'end',
  }),
  'length and chunks': (_random, request) => ({
    chunks: [
      head(request, [
        ['Content-Length', String(request.body.length)],
        ['Transfer-Encoding', 'chunked'],
      ]),
      request.body,
    ],
    after: 'end',
  }),
  'unknown transfer coding': (random, request) => ({
    chunks: [
      head(request, [['Transfer-Encoding', random.pick(['gzip', 'chunked, gzip', 'xchunked', 'identity'])]]),
      request.body,
    ],
    after: 'end',
  }),
  'bad chunk': (random, request) => ({
    chunks: [
      head(request, [['Transfer-Encoding', 'chunked']]),
      Buffer.from(
        random.pick(['zz\r\nxx\r\n', '-1\r\n', `${'f'.repeat(40)}\r\nx`, '5\r\nabcdefgh\r\n0\r\n\r\n']),
      ),
    ],
    after: 'end',
  }),
  'no last chunk': (_random, request) => ({
    chunks: [head(request, [['Transfer-Encoding', 'chunked']]), chunk(request.body)],
    after: 'end',
    mayBeSilent: true,
  }),
  'chunk cut off': (random, request) => ({
    chunks: [
      head(request, [['Transfer-Encoding', 'chunked']]),
      chunk(request.body).subarray(0, random.int(1, request.body.length)),
    ],
    after: 'destroy',
    mayBeSilent: true,
  }),
  'gzip cut off': (random, request) => {
    const zipped = gzipSync(request.body);
    return {
      chunks: [
        head(request, [
          ['Content-Encoding', 'gzip'],
          ['Content-Length', String(zipped.length)],
        ]),
        zipped.subarray(0, random.int(0, zipped.length - 1)),
      ],
      after: random.pick(['destroy', 'end']),
      mayBeSilent: true,
    };
  },
  'dropped before the answer': (_random, request) => ({
    chunks: [Buffer.concat([head(request, [['Content-Length', String(request.body.length)]]), request.body])],
    after: 'destroy',
    mayBeSilent: true,
    isComplete: true,
  }),
  'large, then dropped': (random, request) => ({
    chunks: [head(request, [['Content-Length', '5000000']]), Buffer.alloc(random.int(1, 2_000_000), ' ')],
    after: 'destroy',
    mayBeSilent: true,
  }),
  'header with a control character': (random, request) => ({
    chunks: [
      head(request, [
        ['Content-Length', String(request.body.length)],
        ['X-Control', `a${random.pick(['\0', '\r', '\x01', '\x7f'])}b`],
      ]),
      request.body,
    ],
    after: 'end',
  }),
  'folded header': (_random, request) => ({
    chunks: [
      head(request, [
        ['Content-Length', String(request.body.length)],
        ['X-Folded', 'a\r\n b'],
      ]),
      request.body,
    ],
    after: 'end',
  }),
  'headers too large': (random, request) => ({
    chunks: [
      head(request, [
        ['Content-Length', String(request.body.length)],
        ['X-Large', 'x'.repeat(random.int(17_000, 40_000))],
      ]),
      request.body,
    ],
    after: 'end',
    mayBeSilent: true,
  }),
  'invalid request line': (random, request) => ({
    chunks: [
      Buffer.from(
        random.pick([
          `post ${PATH} HTTP/1.1\r\n\r\n`,
          `POST ${PATH}\r\n\r\n`,
          `POST  ${PATH} HTTP/1.1\r\n\r\n`,
          `POST ${PATH} HTTP/3.7\r\n\r\n`,
          'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
          `POST ${PATH} HTTP/1.1\r\n\r\n`,
          `POST ${'/x'.repeat(10_000)} HTTP/1.1\r\n\r\n`,
        ]),
      ),
      request.body,
    ],
    after: 'end',
    mayBeSilent: true,
  }),
  'random bytes': (random) => ({
    chunks: [random.bytes(random.int(1, 500))],
    after: 'end',
    mayBeSilent: true,
  }),
  'no bytes': () => ({ chunks: [], after: 'end', mayBeSilent: true }),
  'in two pieces': (random, request) => {
    const whole = Buffer.concat([
      head(request, [['Content-Length', String(request.body.length)]]),
      request.body,
    ]);
    const cut = random.int(1, whole.length - 1);
    return { chunks: [whole.subarray(0, cut), whole.subarray(cut)], after: 'wait', statuses: [201] };
  },
  'Expect: 100-continue': (_random, request) => ({
    chunks: [
      head(request, [
        ['Expect', '100-continue'],
        ['Content-Length', String(request.body.length)],
      ]),
      request.body,
    ],
    after: 'wait',
    statuses: [201],
  }),
  'two pipelined requests': (random, request) => {
    const next = validDelivery(random);
    return {
      chunks: [
        Buffer.concat([
          head(request, [['Content-Length', String(request.body.length)]], 'keep-alive'),
          request.body,
          head(next, [['Content-Length', String(next.body.length)]]),
          next.body,
        ]),
      ],
      after: 'wait',
      statuses: [201, 201],
    };
  },
};

/** A request that is not HTTP as it should be. */
export function malformedCase(random: Random): MalformedCase {
  const [kind, make] = random.pick(Object.entries(KINDS));
  return { kind, ...make(random, validDelivery(random)) };
}

export function head(request: FuzzRequest, framing: readonly Header[], connection = 'close'): Buffer {
  const headers: Header[] = [
    ['Host', '127.0.0.1'],
    ['Connection', connection],
    ...request.headers,
    ...framing,
  ];
  const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  return Buffer.from(`${request.method} ${request.path} HTTP/1.1\r\n${lines}\r\n`, 'latin1');
}

export function chunk(body: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${body.length.toString(16)}\r\n`), body, Buffer.from('\r\n')]);
}
