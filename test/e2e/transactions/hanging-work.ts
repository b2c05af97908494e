import { expect } from '@jest/globals';
import type { InboxStore } from 'nestjs-scalekit-webhooks';
import { deferred } from '../../helpers/deferred.js';
import { until } from '../../helpers/until.js';
import { startTransactionApp } from './transaction-app.js';

const TIMEOUT_MS = 500;

/** Expects a transaction whose work hangs to end at the deadline, and to be out of the way of everything that follows. */
export async function expectToEndAtTheDeadline(
  inbox: InboxStore,
  insert: (tx: never, eventId: string) => Promise<unknown>,
  countEffects: () => Promise<number>,
): Promise<void> {
  const resume = deferred();
  const lateStatement = deferred<string>();
  const insertInTransaction: Parameters<typeof startTransactionApp>[1] = (eventId, delivery) =>
    delivery.transaction(async (tx: never) => {
      await insert(tx, eventId);
    });
  const app = await startTransactionApp(
    inbox,
    (eventId, delivery) =>
      delivery.transaction(async (tx: never) => {
        await insert(tx, eventId);
        await resume.promise;
        await insert(tx, eventId).then(
          () => lateStatement.resolve('ran'),
          () => lateStatement.resolve('refused'),
        );
      }),
    TIMEOUT_MS,
  );

  expect(await app.deliver()).toBe(503);
  await until(app.run, (run) => run !== 'running', 2 * TIMEOUT_MS);
  expect([await app.run(), await countEffects()]).toEqual(['failed TransactionTimeoutError', 0]);
  app.work = insertInTransaction;
  expect([await app.deliver(), await app.deliver()]).toEqual([201, 200]);
  resume.resolve();
  expect([await lateStatement.promise, await countEffects()]).toEqual(['refused', 1]);
}
