// An empty application; prints how many ms after the process began it listens. `with`: with the module.
import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';

class AppModule {}
Module({ imports: process.argv[2] === 'with' ? [await webhooks()] : [] })(AppModule);

const app = await NestFactory.create(AppModule, { logger: false });
await app.listen(0, '127.0.0.1');
console.log(performance.now());
await app.close();

async function webhooks() {
  const { ScalekitWebhooksModule } = await import('nestjs-scalekit-webhooks');
  return ScalekitWebhooksModule.forRoot({ signingSecret: `whsec_${Buffer.alloc(32, 1).toString('base64')}` });
}
