import type { INestApplication, ModuleMetadata, NestApplicationOptions } from '@nestjs/common';
import type { AbstractHttpAdapter } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';

export { SECRET } from './secrets.js';

export type AdapterFactory = () => AbstractHttpAdapter;

/** For `describe.each`: tests of HTTP run on both platforms. */
export const ADAPTERS: readonly (readonly [string, AdapterFactory])[] = [
  ['express', () => new ExpressAdapter()],
  ['fastify', () => new FastifyAdapter()],
];

/** Starts an application on a free port of 127.0.0.1. `configure` does what `main.ts` would do. */
export async function startApp(
  adapter: AdapterFactory,
  metadata: ModuleMetadata,
  configure: (app: INestApplication) => void = () => {},
  options: NestApplicationOptions = {},
): Promise<INestApplication> {
  const module = await Test.createTestingModule(metadata).compile();
  const app = module.createNestApplication(adapter(), { logger: false, ...options });
  configure(app);
  await app.listen(0, '127.0.0.1');
  return app;
}
