import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { type AbstractHttpAdapter, NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import type { ScalekitEvent, ScalekitWebhooksOptions } from '../../../lib/index.js';
import { handleEvent, type Receiver, SECRET, TYPICAL_TYPE } from './receiver.js';

export const startOnExpress = startOn(() => new ExpressAdapter());
export const startOnFastify = startOn(() => new FastifyAdapter());

/** This library with its defaults, unless there are `options`: verification, validation, the memory inbox, one handler. */
export function startOn(
  newAdapter: () => AbstractHttpAdapter,
  options?: (library: string) => Promise<ScalekitWebhooksOptions>,
): Receiver {
  return async (library) => {
    const { OnScalekitEvent, ScalekitWebhooksModule }: typeof import('../../../lib/index.js') = await import(
      library
    );

    class DirectoryHandlers {
      @OnScalekitEvent(TYPICAL_TYPE)
      async handle(event: ScalekitEvent<typeof TYPICAL_TYPE>) {
        await handleEvent(event);
      }
    }

    @Module({
      imports: [ScalekitWebhooksModule.forRoot({ signingSecret: SECRET, ...(await options?.(library)) })],
      providers: [DirectoryHandlers],
    })
    class AppModule {}

    const app = await NestFactory.create(AppModule, newAdapter(), { logger: false });
    return app.listen(0, '127.0.0.1');
  };
}
