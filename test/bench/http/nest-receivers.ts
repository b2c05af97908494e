import type { Type } from '@nestjs/common';
import { type AbstractHttpAdapter, NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import type { Receiver } from './receiver.js';

/** An application's receivers on both platforms. */
export function nestReceivers(module: Type) {
  const startOn = (newAdapter: () => AbstractHttpAdapter): Receiver => {
    return async (port) => {
      const app = await NestFactory.create(module, newAdapter(), { logger: false });
      await app.listen(port, '127.0.0.1');
    };
  };
  return {
    startOnExpress: startOn(() => new ExpressAdapter()),
    startOnFastify: startOn(() => new FastifyAdapter()),
  };
}
