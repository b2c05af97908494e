import { Module } from '@nestjs/common';
import { ConfigModule, ConfigService } from '@nestjs/config';
import { InboxTransport, ScalekitWebhooksModule } from 'nestjs-scalekit-webhooks';
import { PostgresInboxStore } from 'nestjs-scalekit-webhooks/postgres';
import { DataSource } from 'typeorm';
import { Cloud } from './cloud.js';
import { DatabaseModule } from './database.module.js';
import { WorkspaceHandlers } from './workspace.handlers.js';

@Module({
  imports: [
    ConfigModule.forRoot({ isGlobal: true }),
    ScalekitWebhooksModule.forRootAsync({
      imports: [DatabaseModule],
      inject: [ConfigService, DataSource],
      useFactory: (config: ConfigService, client: DataSource) => ({
        inbox: new PostgresInboxStore({ client, application: 'workspaces' }),
        transport: new InboxTransport({
          worker: config.get('ROLE') === 'web' ? false : { concurrency: 5 },
        }),
      }),
    }),
  ],
  providers: [Cloud, WorkspaceHandlers],
})
export class AppModule {}
