// A process without HTTP that runs handlers from the inbox that its arguments name. Each handler prints its event and halts
// until the process gets a line, if the last argument is "halting".
import 'reflect-metadata';
import { once } from 'node:events';
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import Database from 'libsql';
import {
  InboxTransport,
  OnScalekitEvent,
  type ScalekitEvent,
  ScalekitWebhooksModule,
} from 'nestjs-scalekit-webhooks';
import { PostgresInboxStore } from 'nestjs-scalekit-webhooks/postgres';
import { SqliteInboxStore } from 'nestjs-scalekit-webhooks/sqlite';
import { Pool } from 'pg';
import { SECRET } from '../../helpers/secrets.js';
import { serviceUrl } from '../../helpers/service-url.js';

const [kind = '', name = '', manner] = process.argv.slice(3);

@Injectable()
class Handlers {
  @OnScalekitEvent('user.created')
  async first({ id }: ScalekitEvent<'user.created'>): Promise<void> {
    console.log(id);
    if (manner === 'halting') await once(process.stdin, 'data');
  }
}

function openInbox() {
  if (kind === 'sqlite') return new SqliteInboxStore({ database: new Database(name) });
  const client = new Pool({ connectionString: serviceUrl('postgres') });
  return new PostgresInboxStore({ client, application: 'test', schema: name });
}

@Module({
  imports: [
    ScalekitWebhooksModule.forRoot({
      signingSecret: SECRET,
      inbox: openInbox(),
      transport: new InboxTransport({ pollIntervalMs: 20 }),
    }),
  ],
  providers: [Handlers],
})
class AppModule {}

await NestFactory.createApplicationContext(AppModule, { logger: false });
console.log('ready');
