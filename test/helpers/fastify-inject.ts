import { createRequire } from 'node:module';
import { jest } from '@jest/globals';

/** Lets Fastify's `inject()` run: Jest on Node 20 cannot `require` the cookie package, which is ESM, and unused here. */
export function allowInject(): void {
  const lightMyRequest = createRequire(import.meta.url).resolve('light-my-request');
  jest.doMock(createRequire(lightMyRequest).resolve('cookie'), () => ({}));
}
