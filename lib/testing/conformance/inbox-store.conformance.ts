import { describeClaims } from './inbox-store.claims.js';
import type { ConformanceRunner } from './inbox-store.harness.js';
import { InboxBench, type InboxStoreHarness } from './inbox-store.harness.js';
import { describeKeys, describeReads } from './inbox-store.reads.js';
import { describeSettlements } from './inbox-store.settlements.js';

/**
 * What every `InboxStore` must do, as tests for your own. Call it in a spec file, where a suite is described.
 *
 * @param makeHarness makes an empty store, before each test
 * @param runner the functions of your test runner
 * @example
 * ```ts
 * import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
 *
 * describeInboxStore('MyInboxStore', makeHarness, { afterEach, beforeEach, describe, expect, it });
 * ```
 */
export function describeInboxStore(
  name: string,
  makeHarness: () => Promise<InboxStoreHarness>,
  runner: ConformanceRunner,
): void {
  const { afterEach, beforeEach, describe, expect, it } = runner;
  describe(`${name} keeps the contract of an InboxStore`, () => {
    const bench = new InboxBench(makeHarness);

    beforeEach(() => bench.open());

    afterEach(() => bench.close());

    describeClaims(bench, runner);
    describeSettlements(bench, runner);
    describeKeys(bench, runner);
    describeReads(bench, runner);

    it('answers a ping', async () => {
      await expect(bench.store.ping()).resolves.toBeUndefined();
    });

    it('can be closed twice', async () => {
      await bench.store.close();

      await expect(bench.store.close()).resolves.toBeUndefined();
    });
  });
}
