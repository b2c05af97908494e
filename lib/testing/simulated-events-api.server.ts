import { randomUUID } from 'node:crypto';
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createHttp2Server } from 'node:http2';
import { createRequire } from 'node:module';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { join } from 'node:path';

const CODES = {
  invalid_argument: 'InvalidArgument',
  resource_exhausted: 'ResourceExhausted',
  unavailable: 'Unavailable',
  unauthenticated: 'Unauthenticated',
} as const;

/** The kinds of gRPC errors with which the API fails. */
export type EventsApiErrorCode = keyof typeof CODES;

/** What the simulated API is asked for, as the Scalekit SDK asks for it. */
export interface EventsApiRequest {
  readonly pageSize?: number;
  readonly pageToken?: string;
  readonly filter?: EventsApiRequestFilter;
}

/** Which events to list. An event must meet every condition that is set. */
export interface EventsApiRequestFilter {
  readonly eventTypes?: readonly string[];
  readonly startTime?: ApiTime;
  readonly endTime?: ApiTime;
  readonly organizationId?: string;
}

/** A point in time, as protobuf has it. */
export interface ApiTime {
  readonly seconds?: bigint;
  readonly nanos?: number;
}

/** A page of events, newest first. */
export interface EventsApiPage {
  readonly events: readonly ApiEvent[];
  /** Empty on the last page. */
  readonly nextPageToken: string;
  readonly prevPageToken: string;
}

/** An event as the Events API returns it, but for `object`, which is a name here. */
export interface ApiEvent {
  readonly id: string;
  readonly type: string;
  readonly specVersion: string;
  readonly environmentId: string;
  readonly organizationId?: string;
  readonly occurredAt: { readonly seconds: bigint; readonly nanos: number };
  readonly object: string;
  readonly displayName: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** Where the simulated API listens, and the credentials for it. */
export interface ListeningEventsApi {
  readonly url: string;
  readonly clientId: string;
  readonly clientSecret: string;
  /** Lets every access token expire, so that the SDK has to get a new one. */
  expireTokens(): void;
  close(): Promise<void>;
}

/** Answers a request, or throws an error with a `code`. */
type ListEvents = (request: EventsApiRequest) => EventsApiPage;

/** What the first connection bytes of HTTP/2 are. gRPC and the token endpoint share a port, as at Scalekit. */
const HTTP2_PREFACE = 'PRI ';

/** Serves the Events API over gRPC, and an OAuth token endpoint, on a free port of 127.0.0.1. */
export async function serveEventsApi(list: ListEvents): Promise<ListeningEventsApi> {
  const tokens = new Set<string>();
  const grpc = createHttp2Server(grpcHandler(list, tokens));
  const oauth = createHttpServer((request, response) => issueToken(tokens, request, response));
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.once('close', () => sockets.delete(socket));
    socket.once('data', (start) => {
      socket.pause();
      socket.unshift(start);
      const isHttp2 = start.toString('latin1').startsWith(HTTP2_PREFACE);
      (isHttp2 ? grpc : oauth).emit('connection', socket);
      if (!isHttp2) socket.resume();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    clientId: 'skc_simulated',
    clientSecret: 'simulated',
    expireTokens: () => tokens.clear(),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

function issueToken(tokens: Set<string>, request: IncomingMessage, response: ServerResponse): void {
  request.resume();
  if (request.method !== 'POST' || request.url !== '/oauth/token') {
    response.writeHead(404).end();
    return;
  }
  const token = randomUUID();
  tokens.add(token);
  response.writeHead(200, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ access_token: token, token_type: 'Bearer', expires_in: 3600 }));
}

function grpcHandler(list: ListEvents, tokens: ReadonlySet<string>) {
  const { connect, connectNode, events } = loadSdk();
  const { EventsService, ObjectType } = events;
  const numbers = new Map<string, unknown>(Object.entries(ObjectType));
  const fail = (code: EventsApiErrorCode) => new connect.ConnectError('simulated', connect.Code[CODES[code]]);
  return connectNode.connectNodeAdapter({
    routes: (router) =>
      router.service(EventsService, {
        listEventsPaginated(request, { requestHeader }) {
          const [, token = ''] = /^Bearer (.+)$/.exec(requestHeader.get('authorization') ?? '') ?? [];
          if (!tokens.has(token)) throw fail('unauthenticated');
          try {
            const page = list(request);
            return {
              ...page,
              events: page.events.map((event) => ({
                ...event,
                object: Number(numbers.get(event.object) ?? 0),
                data: JSON.parse(JSON.stringify(event.data)),
              })),
            };
          } catch (error) {
            throw fail(codeOf(error));
          }
        },
      }),
  });
}

function codeOf(error: unknown): EventsApiErrorCode {
  const code: unknown = Reflect.get(Object(error), 'code');
  return code === 'unavailable' || code === 'resource_exhausted' || code === 'unauthenticated'
    ? code
    : 'invalid_argument';
}

/** The SDK's description of the service, and the gRPC library that the SDK itself uses, from the application's folder. */
function loadSdk() {
  const ofApplication = createRequire(join(process.cwd(), 'package.json'));
  const ofSdk = createRequire(ofApplication.resolve('@scalekit-sdk/node/package.json'));
  const connect: typeof import('@connectrpc/connect') = ofSdk('@connectrpc/connect');
  const connectNode: typeof import('@connectrpc/connect-node') = ofSdk('@connectrpc/connect-node');
  const events: typeof import('@scalekit-sdk/node/lib/pkg/grpc/scalekit/v1/events/events_pb.js') = ofSdk(
    './lib/pkg/grpc/scalekit/v1/events/events_pb.js',
  );
  return { connect, connectNode, events };
}
