import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { OnScalekitEvent, type ScalekitEvent, ScalekitWebhooksModule } from '../../../lib/index.js';
import { SECRET } from '../../helpers/secrets.js';
import { TYPICAL_TYPE } from '../events.js';
import { handleEvent } from './handled.js';
import { nestReceivers } from './nest-receivers.js';

class DirectoryHandlers {
  @OnScalekitEvent(TYPICAL_TYPE)
  async handle(event: ScalekitEvent<typeof TYPICAL_TYPE>) {
    await handleEvent(event);
  }
}

/** This library with everything on: verification, validation, the memory inbox, one handler. */
@Module({
  imports: [ScalekitWebhooksModule.forRoot({ signingSecret: SECRET })],
  providers: [DirectoryHandlers],
})
class AppModule {}

export const { startOnExpress, startOnFastify } = nestReceivers(AppModule);
