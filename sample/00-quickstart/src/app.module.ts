import { Module } from '@nestjs/common';
import { ScalekitWebhooksModule } from 'nestjs-scalekit-webhooks';
import { DirectoryHandlers } from './directory.handlers.js';
import { UserHandlers } from './user.handlers.js';

@Module({
  imports: [ScalekitWebhooksModule.forRoot()],
  providers: [UserHandlers, DirectoryHandlers],
})
export class AppModule {}
