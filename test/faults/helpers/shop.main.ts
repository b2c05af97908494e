// Runs shops in a process of its own. Each shop stops forever at the point that it is told. See shop-process.ts.
import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { type HoldPoint, holdInbox, holdTransport } from './hold-points.js';
import { shopModule } from './shop.module.js';
import type { ShopReport, ShopSettings } from './shop-process.js';
import { openStorage } from './shop-storage.js';

const LEASE_MS = 200;

const shops: ShopSettings[] = JSON.parse(process.argv[3] ?? '[]');
const report = (line: ShopReport) => console.log(JSON.stringify(line));

for (const [index, { location, notes, holdAt, queue }] of shops.entries()) {
  const hold = async (point: HoldPoint) => {
    if (point !== holdAt) return;
    report({ shop: index, held: 1 });
    // SQLite does both in one turn of the event loop, so only a thread that stops can be killed in between.
    if (location.kind === 'sqlite' && point === 'between the record and the commit') stopThread();
    await new Promise(() => {});
  };
  const storage = await openStorage(location, hold);
  holdInbox(storage.inbox, hold, LEASE_MS);
  // BullMQ takes a while to load, so only load it for shops with a queue.
  const transport = queue && holdTransport((await import('./queues.js')).openQueue(queue).transport, hold);
  const shop = shopModule({ storage, notes, hold, ...(transport && { transport }) });
  const app = await NestFactory.create(shop, { logger: ['error', 'fatal'] });
  await app.listen(0, '127.0.0.1');
  report({ shop: index, url: await app.getUrl() });
}

function stopThread(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
}
