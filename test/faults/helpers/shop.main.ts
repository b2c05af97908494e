// Shops in a process of its own, each of which stops for ever at the point that it is told; see shop-process.ts.
import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { type HoldPoint, holdInbox, holdTransport } from './hold-points.js';
import { openLedger } from './ledgers.js';
import { shopModule } from './shop.module.js';
import type { ShopLine, ShopSettings } from './shop-process.js';

const LEASE_MS = 200;

const shops: ShopSettings[] = JSON.parse(process.argv[3] ?? '[]');
const tell = (line: ShopLine) => console.log(JSON.stringify(line));

for (const [index, { place, notes, holdAt, queue }] of shops.entries()) {
  const hold = async (point: HoldPoint) => {
    if (point !== holdAt) return;
    tell({ shop: index, held: 1 });
    await new Promise(() => {});
  };
  const ledger = await openLedger(place);
  holdInbox(ledger.inbox, hold, LEASE_MS);
  // BullMQ takes a while to load.
  const transport = queue && holdTransport((await import('./queues.js')).openQueue(queue).transport, hold);
  const shop = shopModule({ ledger, notes, hold, ...(transport && { transport }) });
  const app = await NestFactory.create(shop, { logger: ['error', 'fatal'] });
  await app.listen(0, '127.0.0.1');
  tell({ shop: index, url: await app.getUrl() });
}
