// An application that recovers with the real SDK at its start, and prints its URL. Its handlers record their effects, with the
// id of this process. The first argument is JSON: where the inbox is, and how to reach the Events API.
import 'reflect-metadata';
import { setTimeout as pause } from 'node:timers/promises';
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ScalekitClient } from '@scalekit-sdk/node';
import { OnScalekitEvent, type ScalekitDelivery, ScalekitWebhooksModule } from 'nestjs-scalekit-webhooks';
import { ScalekitRecoveryModule } from 'nestjs-scalekit-webhooks/recovery';
import { SECRET } from '../../helpers/secrets.js';
import { openRecoveryStorage } from './recovery-storage.js';

const { kind, name, api } = JSON.parse(process.argv[3] ?? '{}');
const storage = await openRecoveryStorage(kind, name);

@Injectable()
class Users {
  @OnScalekitEvent('user.created')
  async created({ id }: { readonly id: string }, delivery: ScalekitDelivery): Promise<void> {
    await pause(3);
    await storage.addEffect(id, String(process.pid), delivery);
  }
}

@Module({
  imports: [
    // A short limit, because what a crash interrupts is taken over only when its lease has ended.
    ScalekitWebhooksModule.forRoot({ signingSecret: SECRET, inbox: storage.inbox, handlerTimeoutMs: 1000 }),
    ScalekitRecoveryModule.forRoot({
      client: new ScalekitClient(api.url, api.clientId, api.clientSecret),
      // Also how soon it tries again while another process recovers.
      everyMs: 200,
    }),
  ],
  providers: [Users],
})
class AppModule {}

const app = await NestFactory.create(AppModule, { logger: false });
await app.listen(0, '127.0.0.1');
console.log(await app.getUrl());
