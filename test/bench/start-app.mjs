// A small application that validates a DTO. It prints how many ms after the process started it listens, and its memory in
// MB. `module` adds this package's module, `sdk` imports Scalekit's SDK.
import 'reflect-metadata';
import { Module, ValidationPipe } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { IsString } from 'class-validator';

const [variant] = process.argv.slice(2);

class CreateUserDto {}
IsString()(CreateUserDto.prototype, 'name');

class AppModule {}
Module({ imports: variant === 'module' ? [await webhooks()] : [] })(AppModule);
if (variant === 'sdk') await import('@scalekit-sdk/node');

const app = await NestFactory.create(AppModule, { logger: false });
const pipe = new ValidationPipe({ transform: true });
app.useGlobalPipes(pipe);
// The pipe loads class-validator and class-transformer on first use.
await pipe.transform({ name: 'x' }, { type: 'body', metatype: CreateUserDto });
await app.listen(0, '127.0.0.1');
console.log(JSON.stringify({ ms: performance.now(), megabytes: process.memoryUsage.rss() / 2 ** 20 }));
await app.close();

async function webhooks() {
  const { ScalekitWebhooksModule } = await import('nestjs-scalekit-webhooks');
  return ScalekitWebhooksModule.forRoot({ signingSecret: `whsec_${Buffer.alloc(32, 1).toString('base64')}` });
}
