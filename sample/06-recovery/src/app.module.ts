import { Module } from '@nestjs/common';
import { ScalekitClient } from '@scalekit-sdk/node';
import { InboxTransport, ScalekitWebhooksModule } from 'nestjs-scalekit-webhooks';
import { ScalekitRecoveryModule } from 'nestjs-scalekit-webhooks/recovery';
import { SqliteInboxStore } from 'nestjs-scalekit-webhooks/sqlite';
import { DatabaseModule, SqliteFile } from './database.module.js';
import { UserHistory } from './user-history.js';

@Module({
  imports: [
    DatabaseModule,
    ScalekitWebhooksModule.forRootAsync({
      imports: [DatabaseModule],
      inject: [SqliteFile],
      useFactory: ({ database }: SqliteFile) => ({
        inbox: new SqliteInboxStore({ database }),
        transport: new InboxTransport(),
      }),
    }),
    ScalekitRecoveryModule.forRootAsync({
      useFactory: () => ({
        client: new ScalekitClient(
          process.env.SCALEKIT_ENVIRONMENT_URL ?? '',
          process.env.SCALEKIT_CLIENT_ID ?? '',
          process.env.SCALEKIT_CLIENT_SECRET ?? '',
        ),
        onStart: process.env.RECOVER_ON_START !== 'false',
      }),
    }),
  ],
  providers: [UserHistory],
})
export class AppModule {}
