import 'reflect-metadata';
import { Controller, HttpCode, Module, Post, Req } from '@nestjs/common';
import { handleEvent } from './handled.js';
import { nestReceivers } from './nest-receivers.js';
import { PATH } from './receiver.js';

@Controller()
class EmptyController {
  @Post(PATH)
  @HttpCode(200)
  async receive(@Req() request: { readonly body: object }) {
    await handleEvent(request.body);
    return { received: true };
  }
}

/** What Nest itself takes: it parses the body and believes it. */
@Module({ controllers: [EmptyController] })
class AppModule {}

export const { startOnExpress, startOnFastify } = nestReceivers(AppModule);
