// Checks that every entry point loads in both formats without optional peers, except those that are for one peer.
import { deepEqual, equal, rejects, throws } from 'node:assert/strict';
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
const OPTIONAL = [
  '@nestjs/config',
  '@nestjs/event-emitter',
  '@nestjs/platform-express',
  '@nestjs/platform-fastify',
  '@nestjs/terminus',
  '@nestjs/testing',
  '@opentelemetry/api',
  '@scalekit-sdk/node',
  'bullmq',
  'ioredis',
  'pg',
];
const FOR_ONE_PEER = ['./bullmq', './opentelemetry', './terminus'];

for (const peer of OPTIONAL) throws(() => require.resolve(peer), { code: 'MODULE_NOT_FOUND' }, peer);

const { name, exports: entries } = require('nestjs-scalekit-webhooks/package.json');
for (const path of Object.keys(entries).filter((path) => path !== './package.json')) {
  const entry = path.replace('.', name);
  if (FOR_ONE_PEER.includes(path)) {
    await rejects(import(entry), { code: 'ERR_MODULE_NOT_FOUND' }, entry);
    continue;
  }
  deepEqual(Object.keys(await import(entry)), Object.keys(require(entry)).sort(), `the exports of ${entry}`);
}

const { ScalekitWebhooksModule } = await import('nestjs-scalekit-webhooks');
equal(ScalekitWebhooksModule.forRoot().controllers.length, 1);
