// Runs the sample in a process that halts in its first transaction, at the place given as an argument. See halting-app.ts.
import type { AddressInfo } from 'node:net';
import { Injectable } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import type Database from 'libsql';
import { AppModule } from '../src/app.module.js';
import { SeatDatabase } from '../src/seat.database.js';
import { SeatHandlers } from '../src/seat.handlers.js';

const place = process.argv[3];

@Injectable()
class HaltingDatabase extends SeatDatabase {
  override async change(tx: Database.Database, organizationId: string, by: number): Promise<void> {
    await super.change(tx, organizationId, by);
    if (place === 'before the commit') await halt();
  }
}

function halt(): Promise<never> {
  console.log('halted');
  return new Promise(() => {});
}

const module = await Test.createTestingModule({ imports: [AppModule] })
  .overrideProvider(SeatDatabase)
  .useClass(HaltingDatabase)
  .compile();
const handlers = module.get(SeatHandlers);
const take = handlers.take.bind(handlers);
handlers.take = async (...delivered) => {
  await take(...delivered);
  await halt();
};
const app = module.createNestApplication({ logger: false });
await app.listen(0, '127.0.0.1');
const { port }: AddressInfo = app.getHttpServer().address();
console.log(`http://127.0.0.1:${port}/webhooks/scalekit`);
