// A child process with one receiver: `node serve.js <name> <library>`. It sends a message when it listens, and answers
// each message with its status.
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { handledEvents, isReceiverName, type Receiver, type ReceiverName } from './receiver.js';

export interface ReceiverStatus {
  readonly port: number;
  readonly handled: number;
}

const RECEIVERS: Readonly<Record<ReceiverName, () => Promise<Receiver>>> = {
  'guide, Express': async () => (await import('./other.receivers.js')).startGuide,
  'by hand, Nest on Express': async () => (await import('./other.receivers.js')).startNestByHand,
  'by hand, Fastify': async () => (await import('./other.receivers.js')).startFastifyByHand,
  '@octokit/webhooks, Node': async () => (await import('./other.receivers.js')).startOctokit,
  'nothing verified, Nest on Express': async () => (await import('./other.receivers.js')).startBareExpress,
  'nothing verified, Nest on Fastify': async () => (await import('./other.receivers.js')).startBareFastify,
  'ours, Nest on Express': async () => (await import('./our.receivers.js')).startOnExpress,
  'by hand, Postgres': async () => (await import('./durable.receivers.js')).startPostgresByHand,
  'by hand, Postgres, prepared': async () => (await import('./durable.receivers.js')).startPreparedByHand,
  'ours, Postgres': async () => (await import('./durable.receivers.js')).startPostgres,
  'ours, Postgres, InboxTransport': async () => (await import('./durable.receivers.js')).startPostgresWork,
  'ours, SQLite': async () => (await import('./durable.receivers.js')).startSqlite,
  'ours, Redis': async () => (await import('./durable.receivers.js')).startRedis,
  'ours, Redis, BullMQ': async () => (await import('./durable.receivers.js')).startBullMq,
  'ours, Fastify, OpenTelemetry': async () => (await import('./our.receivers.js')).startOnFastifyObserved,
  'ours, Nest on Fastify': async () => (await import('./our.receivers.js')).startOnFastify,
};

const [name, library = ''] = process.argv.slice(2);
if (!isReceiverName(name)) throw new Error(`There is no receiver ${name}`);
const start = await RECEIVERS[name]();
const server = await start(library);
if (!server.listening) await once(server, 'listening');
const { port } = server.address() as AddressInfo;
process.on('message', () => process.send?.({ port, handled: handledEvents() } satisfies ReceiverStatus));
process.once('disconnect', () => process.exit());
process.send?.('ready');
