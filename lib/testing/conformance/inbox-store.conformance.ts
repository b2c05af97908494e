import { checkOptions, type OptionChecks, requireFunction, requireText } from '../../errors/settings.js';
import { describeClaims } from './inbox-store.claims.js';
import { describeDue } from './inbox-store.due.js';
import { describeEntities } from './inbox-store.entities.js';
import { describeDrops, describeErasure } from './inbox-store.erasure.js';
import { describeFilters } from './inbox-store.filters.js';
import { ConformanceHarness, type ConformanceRunner, type InboxStoreHarness } from './inbox-store.harness.js';
import { describeKeys } from './inbox-store.keys.js';
import { describeOperations, describePrune, describeReopen } from './inbox-store.operations.js';
import { describePayloads, describeReads } from './inbox-store.reads.js';
import { describeRecovery } from './inbox-store.recovery.js';
import { describeSettlements } from './inbox-store.settlements.js';
import { describeTransactions } from './inbox-store.transactions.js';
import { describeTurns } from './inbox-store.turns.js';
import { describeWork } from './inbox-store.work.js';

const RUNNER_CHECKS: OptionChecks<ConformanceRunner> = {
  describe: requireFunction,
  it: requireFunction,
  beforeEach: requireFunction,
  afterEach: requireFunction,
  expect: requireFunction,
};

/**
 * Registers the tests that every `InboxStore` must pass. Call it in a spec file to test your own store.
 *
 * @param name the name of your store, for the titles of the tests
 * @param makeHarness opens an empty store; called before each test
 * @param runner the functions of your test runner
 * @throws ScalekitWebhooksConfigurationError when an argument is missing or invalid
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
  requireText('name', name);
  requireFunction('makeHarness', makeHarness);
  checkOptions(runner, RUNNER_CHECKS);
  const { afterEach, beforeEach, describe, expect, it } = runner;
  describe(`${name} fulfills the InboxStore contract`, () => {
    const harness = new ConformanceHarness(makeHarness);

    beforeEach(() => harness.open());

    afterEach(() => harness.close());

    describeClaims(harness, runner);
    describeSettlements(harness, runner);
    describeReopen(harness, runner);
    describeTransactions(harness, runner);
    describeEntities(harness, runner);
    describeWork(harness, runner);
    describeDue(harness, runner);
    describeTurns(harness, runner);
    describeKeys(harness, runner);
    describeReads(harness, runner);
    describePayloads(harness, runner);
    describeFilters(harness, runner);
    describePrune(harness, runner);
    describeErasure(harness, runner);
    describeDrops(harness, runner);
    describeOperations(harness, runner);
    describeRecovery(harness, runner);

    it('resolves a ping', async () => {
      await expect(harness.store.ping()).resolves.toBeUndefined();
    });

    it('can be closed twice', async () => {
      await harness.store.close();

      await expect(harness.store.close()).resolves.toBeUndefined();
    });
  });
}
