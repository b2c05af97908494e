// Recovers as many events as the first argument says, two percent of them first. Prints, as JSON, how many were handled, all in
// order, and how much more memory the process had at most than after the first ones.
import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { MemoryInboxStore, OnScalekitEvent, ScalekitWebhooksModule } from 'nestjs-scalekit-webhooks';
import { ScalekitRecovery, ScalekitRecoveryModule } from 'nestjs-scalekit-webhooks/recovery';
import { SECRET } from '../../helpers/secrets.js';
import { apiWith } from './many-events.js';

const COUNT = Number(process.argv[3]);
const HOUR = 3_600_000;
const window = { from: Date.now() - 3 * HOUR, until: Date.now() - HOUR };
let [total, last] = [0, -1];

class Users {
  @OnScalekitEvent('user.created')
  created({ id }: { readonly id: string }): void {
    const index = Number(id.slice('evt_'.length));
    if (index <= last) throw new Error(`${id} came after evt_${last}`);
    last = index;
    total += 1;
  }
}

class AppModule {}

const app = await NestFactory.createApplicationContext(
  {
    module: AppModule,
    imports: [
      ScalekitWebhooksModule.forRoot({
        signingSecret: SECRET,
        inbox: new MemoryInboxStore({ maxEvents: 100 }),
      }),
      ScalekitRecoveryModule.forRoot({ client: apiWith(COUNT, window) }),
    ],
    providers: [Users],
  },
  { logger: false },
);
const recovery = app.get(ScalekitRecovery, { strict: false });
const firstPart = new Date(window.from + (window.until - window.from) / 50);
await recovery.recover({ since: new Date(window.from), until: firstPart });

const before = process.memoryUsage().rss;
await recovery.recover({ since: firstPart, until: new Date(window.until) });
const moreBytes = process.resourceUsage().maxRSS * 1024 - before;
console.log(JSON.stringify({ handled: total, last, moreBytes }));
await app.close();
