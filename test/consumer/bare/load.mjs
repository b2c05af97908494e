// Both entry points load, in both formats, where no optional peer is installed.
import { deepEqual, equal, throws } from 'node:assert/strict';
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
const OPTIONAL = [
  '@nestjs/config',
  '@nestjs/event-emitter',
  '@nestjs/platform-express',
  '@nestjs/platform-fastify',
  '@nestjs/testing',
  '@scalekit-sdk/node',
];

for (const name of OPTIONAL) throws(() => require.resolve(name), { code: 'MODULE_NOT_FOUND' }, name);

for (const entry of ['nestjs-scalekit-webhooks', 'nestjs-scalekit-webhooks/testing']) {
  const esm = await import(entry);
  const cjs = require(entry);
  deepEqual(Object.keys(esm), Object.keys(cjs).sort(), `the exports of ${entry}`);
}

const { ScalekitWebhooksModule } = await import('nestjs-scalekit-webhooks');
equal(ScalekitWebhooksModule.forRoot().controllers.length, 1);
