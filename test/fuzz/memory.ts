import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { brotliCompressSync } from 'node:zlib';
import { HOST_PATH, PATH, randomEvent, signedDelivery } from './deliveries.js';
import { type FuzzRequest, withHeaders, withoutSignature } from './fuzz-request.js';
import type { FuzzedServer } from './fuzzed-server.js';
import { head } from './malformed.js';
import { Random } from './random.js';
import type { ServerReport } from './server.js';

/** How many requests {@link costOfWithheld} sends. */
export const WITHHELD = 1000;
const LARGE = 100_000;
const MAX_GROWTH = 1.1;
// The process keeps much of what it has freed, and how much differs from run to run.
const MAX_RESIDENT_GROWTH = 1.5;
const SETTLING_MS = 500;

type Memory = ServerReport['memory'];

/** The server's memory, once the connections of the requests before are closed. */
export async function measure(server: FuzzedServer): Promise<Memory> {
  await sleep(SETTLING_MS);
  const report = await server.ask('measure');
  if (!report) throw new Error('the server did not answer');
  return report.memory;
}

/** Describes by how much the memory has grown, if it is too much. */
export function judgeGrowth(before: Memory, after: Memory): string | undefined {
  if (after.used <= before.used * MAX_GROWTH && after.resident <= before.resident * MAX_RESIDENT_GROWTH)
    return undefined;
  return `the memory grew from ${describe(before)} to ${describe(after)}`;
}

export function describe({ used, resident }: Memory): string {
  return `${toMb(used)} MB (resident ${toMb(resident)} MB)`;
}

export function toMb(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}

/**
 * How much memory many requests take whose last bytes never come, in bytes. They are small, and large when decompressed:
 * almost as large as Nest's parsers allow.
 */
export async function costOfWithheld(server: FuzzedServer) {
  const random = new Random(1);
  const payload = Buffer.from(JSON.stringify(randomEvent(random)).padEnd(LARGE, ' '));
  const delivery = {
    ...withHeaders(signedDelivery(random, payload), ['Content-Encoding', 'br']),
    body: brotliCompressSync(payload),
  };
  // The first round makes the process grow in ways that later rounds reuse.
  await costOf(server, { ...delivery, path: `/${HOST_PATH}` });
  return {
    notSigned: await costOf(server, withoutSignature(delivery)),
    signed: await costOf(server, { ...delivery, path: PATH }),
    parsedByNest: await costOf(server, { ...delivery, path: `/${HOST_PATH}` }),
  };
}

async function costOf(server: FuzzedServer, request: FuzzRequest): Promise<number> {
  const before = await server.ask('measure');
  const bytes = Buffer.concat([
    head(request, [['Content-Length', String(request.body.length)]]),
    request.body.subarray(0, -2),
  ]);
  const sockets: Socket[] = [];
  for (let count = 0; count < WITHHELD; count += 1) {
    const socket = connect(server.port, '127.0.0.1');
    socket.on('error', () => {}).resume();
    await once(socket, 'connect');
    socket.write(bytes);
    sockets.push(socket);
  }
  const after = await measureWhenArrived(server, (before?.arrived ?? 0) + WITHHELD);
  for (const socket of sockets) socket.destroy();
  await sleep(SETTLING_MS);
  return after.used - (before?.memory.used ?? 0);
}

async function measureWhenArrived(server: FuzzedServer, arrived: number): Promise<Memory> {
  for (;;) {
    const memory = await measure(server);
    const report = await server.ask('measure');
    if (!report || report.arrived >= arrived) return memory;
  }
}
