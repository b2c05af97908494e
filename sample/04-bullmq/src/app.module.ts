import { getQueueToken } from '@nestjs/bullmq';
import { Module } from '@nestjs/common';
import { ConfigModule, ConfigService } from '@nestjs/config';
import type { Queue } from 'bullmq';
import { ScalekitWebhooksModule } from 'nestjs-scalekit-webhooks';
import { BullMqTransport } from 'nestjs-scalekit-webhooks/bullmq';
import { PostgresInboxStore } from 'nestjs-scalekit-webhooks/postgres';
import { Pool } from 'pg';
import { AuditHandlers } from './audit.handlers.js';
import { BoardModule } from './board.module.js';
import { DatabaseModule } from './database.module.js';
import { MailHandlers } from './mail.handlers.js';
import { Mailer } from './mailer.js';
import { QueueModule } from './queue.module.js';

@Module({
  imports: [
    ConfigModule.forRoot({ isGlobal: true }),
    ScalekitWebhooksModule.forRootAsync({
      imports: [DatabaseModule, QueueModule],
      inject: [ConfigService, Pool, getQueueToken('scalekit')],
      useFactory: (config: ConfigService, client: Pool, queue: Queue) => ({
        inbox: new PostgresInboxStore({ client, application: 'mail', schema: config.get('INBOX_SCHEMA') }),
        transport: new BullMqTransport({
          queue,
          worker: config.get('ROLE') === 'web' ? false : { concurrency: 10 },
        }),
      }),
    }),
    BoardModule,
  ],
  providers: [AuditHandlers, MailHandlers, Mailer],
})
export class AppModule {}
