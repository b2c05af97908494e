// An application that recovers with the real SDK at its start, and prints a line when it listens. Its handler records its
// effects, with the id of this process. The first argument is JSON: where the inbox is, how handlers run, the port, and how to
// reach the Events API.
import 'reflect-metadata';
import { setTimeout as pause } from 'node:timers/promises';
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ScalekitClient } from '@scalekit-sdk/node';
import {
  InboxTransport,
  OnScalekitEvent,
  type ScalekitDelivery,
  ScalekitWebhooksModule,
} from 'nestjs-scalekit-webhooks';
import { ScalekitRecoveryModule } from 'nestjs-scalekit-webhooks/recovery';
import { SECRET } from '../../helpers/secrets.js';
import { openRecoveryStorage } from './recovery-storage.js';

const { kind, transport, name, port, api, handlerMs, recovers = true } = JSON.parse(process.argv[3] ?? '{}');
const storage = await openRecoveryStorage(kind, name);
const byWorkers = transport === 'workers';
// A short limit, because what a crash interrupts is taken over only when its lease has ended.
const handlerTimeoutMs = 2000;

@Injectable()
class Users {
  @OnScalekitEvent('user.updated', byWorkers ? { order: 'entity' } : {})
  async updated({ id }: { readonly id: string }, delivery: ScalekitDelivery): Promise<void> {
    await pause(handlerMs);
    await storage.addEffect(id, String(process.pid), delivery);
  }
}

@Module({
  imports: [
    ScalekitWebhooksModule.forRoot({
      signingSecret: SECRET,
      inbox: storage.inbox,
      ...(byWorkers ? { transport: new InboxTransport({ handlerTimeoutMs }) } : { handlerTimeoutMs }),
    }),
    ScalekitRecoveryModule.forRoot({
      client: new ScalekitClient(api.url, api.clientId, api.clientSecret),
      onStart: recovers,
      // Also how soon it tries again while another process recovers.
      everyMs: recovers ? 200 : 3_600_000,
    }),
  ],
  providers: [Users],
})
class AppModule {}

const app = await NestFactory.create(AppModule, { logger: false });
await app.listen(port, '127.0.0.1');
console.log('listening');
