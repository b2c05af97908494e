import 'reflect-metadata';
import {
  Controller,
  HttpCode,
  Module,
  Post,
  type RawBodyRequest,
  Req,
  UnauthorizedException,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { Request } from 'express';
import { dispatchByHand, isAuthentic } from './by-hand.js';
import { PATH, type Receiver } from './receiver.js';

@Controller()
class WebhookController {
  @Post(PATH)
  @HttpCode(200)
  async receive(@Req() request: RawBodyRequest<Request>) {
    if (!isAuthentic(request.headers, String(request.rawBody))) throw new UnauthorizedException();
    await dispatchByHand(request.body);
    return { received: true };
  }
}

@Module({ controllers: [WebhookController] })
class AppModule {}

/** A hand-written Nest controller on Express, with `rawBody: true`. */
export const startReceiver: Receiver = async (port) => {
  const app = await NestFactory.create(AppModule, { rawBody: true, logger: false });
  await app.listen(port, '127.0.0.1');
};
