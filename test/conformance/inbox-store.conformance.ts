import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { InboxBench, type InboxStoreHarness } from './inbox-store.bench.js';
import { describeClaims } from './inbox-store.claims.js';
import { describeKeys } from './inbox-store.keys.js';
import { describeReads } from './inbox-store.reads.js';
import { describeSettlements } from './inbox-store.settlements.js';

/** What every `InboxStore` must do. Call it in a spec file of the store, with a maker of empty stores. */
export function describeInboxStore(name: string, makeHarness: () => Promise<InboxStoreHarness>): void {
  describe(`${name} keeps the contract of an InboxStore`, () => {
    const bench = new InboxBench(makeHarness);

    beforeEach(() => bench.open());

    afterEach(() => bench.close());

    describeClaims(bench);
    describeSettlements(bench);
    describeKeys(bench);
    describeReads(bench);

    it('answers a ping', async () => {
      await expect(bench.store.ping()).resolves.toBeUndefined();
    });

    it('can be closed twice', async () => {
      await bench.store.close();

      await expect(bench.store.close()).resolves.toBeUndefined();
    });
  });
}
