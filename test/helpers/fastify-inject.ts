import { createRequire } from 'node:module';
import { jest } from '@jest/globals';

/** Makes Fastify's `inject()` work in Jest on Node 20, which cannot `require` the ESM package `cookie`. It is not used here. */
export function allowInject(): void {
  const lightMyRequest = createRequire(import.meta.url).resolve('light-my-request');
  jest.doMock(createRequire(lightMyRequest).resolve('cookie'), () => ({}));
}
