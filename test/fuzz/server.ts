// A child process with the application to fuzz: `node --expose-gc server.js express|fastify`.
import 'reflect-metadata';
import { Controller, Injectable, Module, type NestApplicationOptions, Post } from '@nestjs/common';
import { type AbstractHttpAdapter, NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import {
  MemoryInboxStore,
  OnScalekitEvent,
  type ScalekitEvent,
  ScalekitWebhooksModule,
} from 'nestjs-scalekit-webhooks';
import { SECRET } from '../helpers/secrets.js';
import { HOST_PATH, REMEMBERED_EVENTS } from './deliveries.js';

/** What the parent process may ask for. */
export type ServerCommand = 'measure' | 'close';

/** Sent when the server listens, with its port, and as the answer to each command. */
export interface ServerReport {
  readonly port?: number;
  readonly handled: number;
  readonly faults: readonly string[];
  /** How many requests have arrived. */
  readonly arrived: number;
  /** In bytes, after a garbage collection: what JavaScript refers to, and what the process takes. */
  readonly memory: { readonly used: number; readonly resident: number };
}

const ADAPTERS: Readonly<Record<string, () => AbstractHttpAdapter>> = {
  express: () => new ExpressAdapter(),
  fastify: () => new FastifyAdapter(),
};
const QUIET: NestApplicationOptions = { logger: false, abortOnError: false };

const faults: string[] = [];
let handled = 0;
let arrived = 0;

process.on('unhandledRejection', (reason) => fault('unhandled rejection', reason));
process.on('uncaughtException', (error) => fault('uncaught exception', error));

function fault(what: string, error: unknown): void {
  if (faults.length < 20) faults.push(`${what}: ${error instanceof Error ? error.stack : String(error)}`);
}

@Injectable()
class EveryEvent {
  @OnScalekitEvent('*')
  async handle(event: ScalekitEvent<'*'>): Promise<void> {
    handled += 1;
    if (typeof event.id !== 'string' || typeof event.type !== 'string') fault('not an event', event);
    if ('polluted' in {} || 'polluted' in Object) fault('a prototype was polluted', event.id);
    // Some handlers are slow.
    if (handled % 50 === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** A route that leaves its body to Nest's parser, to compare with. */
@Controller(HOST_PATH)
class HostController {
  @Post()
  receive() {
    return 'ok';
  }
}

const inbox = new MemoryInboxStore({ maxEvents: REMEMBERED_EVENTS });

@Module({
  imports: [ScalekitWebhooksModule.forRoot({ signingSecret: SECRET, inbox })],
  providers: [EveryEvent],
  controllers: [HostController],
})
class FuzzedModule {}

const adapter = ADAPTERS[process.argv[2] ?? ''];
if (!adapter) throw new Error(`Name an adapter: ${Object.keys(ADAPTERS).join(' or ')}`);
const app = await NestFactory.create(FuzzedModule, adapter(), QUIET);
await app.listen(0, '127.0.0.1');
app.getHttpServer().on('request', () => {
  arrived += 1;
});
report(app.getHttpServer().address().port);

process.on('message', async (command: ServerCommand) => {
  if (command === 'close') await app.close();
  report();
  if (command === 'close') process.disconnect();
});

function report(port?: number): void {
  // Twice, because the first collection lets finalizers run.
  for (let count = 0; count < 2; count += 1) globalThis.gc?.();
  const { heapUsed, external, rss } = process.memoryUsage();
  const memory = { used: heapUsed + external, resident: rss };
  const message: ServerReport = { handled, arrived, faults, memory, ...(port !== undefined && { port }) };
  process.send?.(message);
}
