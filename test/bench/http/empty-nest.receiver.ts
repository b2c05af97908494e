import 'reflect-metadata';
import { Controller, HttpCode, Module, Post, Req } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { handleEvent } from './handled.js';
import { PATH, type Receiver } from './receiver.js';

@Controller()
class EmptyController {
  @Post(PATH)
  @HttpCode(200)
  async receive(@Req() request: { readonly body: object }) {
    await handleEvent(request.body);
    return { received: true };
  }
}

@Module({ controllers: [EmptyController] })
class AppModule {}

/** What Nest itself takes: it parses the body and believes it. */
function startOn(newAdapter: () => ExpressAdapter | FastifyAdapter): Receiver {
  return async (port) => {
    const app = await NestFactory.create(AppModule, newAdapter(), { logger: false });
    await app.listen(port, '127.0.0.1');
  };
}

export const startOnExpress = startOn(() => new ExpressAdapter());
export const startOnFastify = startOn(() => new FastifyAdapter());
