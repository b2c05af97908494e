// An empty application; prints how many ms after the process began it listens, and its memory in MB. `module`: with this
// module; `sdk`: it imports Scalekit's SDK.
import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';

const [variant] = process.argv.slice(2);

class AppModule {}
Module({ imports: variant === 'module' ? [await webhooks()] : [] })(AppModule);
if (variant === 'sdk') await import('@scalekit-sdk/node');

const app = await NestFactory.create(AppModule, { logger: false });
await app.listen(0, '127.0.0.1');
console.log(JSON.stringify({ ms: performance.now(), megabytes: process.memoryUsage.rss() / 2 ** 20 }));
await app.close();

async function webhooks() {
  const { ScalekitWebhooksModule } = await import('nestjs-scalekit-webhooks');
  return ScalekitWebhooksModule.forRoot({ signingSecret: `whsec_${Buffer.alloc(32, 1).toString('base64')}` });
}
