import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { OnScalekitEvent, type ScalekitEvent, ScalekitWebhooksModule } from '../../../lib/index.js';
import { SECRET, TYPICAL_TYPE } from '../events.js';
import { handleEvent } from './handled.js';
import type { Receiver } from './receiver.js';

class DirectoryHandlers {
  @OnScalekitEvent(TYPICAL_TYPE)
  async handle(event: ScalekitEvent<typeof TYPICAL_TYPE>) {
    await handleEvent(event);
  }
}

@Module({
  imports: [ScalekitWebhooksModule.forRoot({ signingSecret: SECRET })],
  providers: [DirectoryHandlers],
})
class AppModule {}

/** This library with everything on: verification, validation, the memory inbox, one handler. */
function startOn(newAdapter: () => ExpressAdapter | FastifyAdapter): Receiver {
  return async (port) => {
    const app = await NestFactory.create(AppModule, newAdapter(), { logger: false });
    await app.listen(port, '127.0.0.1');
  };
}

export const startOnExpress = startOn(() => new ExpressAdapter());
export const startOnFastify = startOn(() => new FastifyAdapter());
