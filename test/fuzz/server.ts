// A child process with the application to fuzz: `node server.js express|fastify`.
import 'reflect-metadata';
import { Injectable, Module, type NestApplicationOptions } from '@nestjs/common';
import { type AbstractHttpAdapter, NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { OnScalekitEvent, type ScalekitEvent, ScalekitWebhooksModule } from 'nestjs-scalekit-webhooks';
import { SECRET } from '../helpers/secrets.js';

/** Sent when the server listens, with its port, and again when it has closed. */
export interface ServerReport {
  readonly port?: number;
  readonly handled: number;
  readonly faults: readonly string[];
}

const ADAPTERS: Readonly<Record<string, () => AbstractHttpAdapter>> = {
  express: () => new ExpressAdapter(),
  fastify: () => new FastifyAdapter(),
};
const QUIET: NestApplicationOptions = { logger: false, abortOnError: false };

const faults: string[] = [];
let handled = 0;

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

@Module({ imports: [ScalekitWebhooksModule.forRoot({ signingSecret: SECRET })], providers: [EveryEvent] })
class FuzzedModule {}

const adapter = ADAPTERS[process.argv[2] ?? ''];
if (!adapter) throw new Error(`Name an adapter: ${Object.keys(ADAPTERS).join(' or ')}`);
const app = await NestFactory.create(FuzzedModule, adapter(), QUIET);
await app.listen(0, '127.0.0.1');
report(app.getHttpServer().address().port);

process.once('message', async () => {
  await app.close();
  report();
  process.disconnect();
});

function report(port?: number): void {
  const message: ServerReport = { handled, faults, ...(port !== undefined && { port }) };
  process.send?.(message);
}
