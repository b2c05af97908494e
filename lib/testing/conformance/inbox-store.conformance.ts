import { checkOptions, type OptionChecks, requireFunction, requireText } from '../../errors/settings.js';
import { describeClaims } from './inbox-store.claims.js';
import { describeDue } from './inbox-store.due.js';
import { describeEntities } from './inbox-store.entities.js';
import { describeErasure } from './inbox-store.erasure.js';
import { describeFilters } from './inbox-store.filters.js';
import {
  aLease,
  anEvent,
  ConformanceHarness,
  type ConformanceRunner,
  type InboxStoreHarness,
} from './inbox-store.harness.js';
import { describeOperations, describePrune, describeReopen } from './inbox-store.operations.js';
import { describeDrops, describeEncryption } from './inbox-store.payloads.js';
import { describeReads } from './inbox-store.reads.js';
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
    describeFilters(harness, runner);
    describePrune(harness, runner);
    describeErasure(harness, runner);
    describeDrops(harness, runner);
    describeEncryption(harness, runner);
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

/** How events and handlers are told apart. */
function describeKeys(harness: ConformanceHarness, { describe, it, expect }: ConformanceRunner): void {
  describe('keys', () => {
    const ODD_IDS = [
      ':',
      '/',
      'a/b/../c',
      'a:b:c',
      'nul\u0000inside',
      'quote\'"`;--',
      '%_*?[a]',
      '{brace}',
      'ünïcödé-事件-🦊',
      'u\\00e9',
      '\\u00e9',
      'lone\ud800',
      'lone\ud801',
      'lone\udc00',
      'lone\ufffd',
      '→',
      '->',
      'e\u0301',
      '\u00e9',
      ' padded ',
      'EVT_x',
      'evt_x',
      '__proto__',
      'i'.repeat(255),
      `${'i'.repeat(254)}j`,
    ];

    it('tell events apart, with any characters in their ids', async () => {
      for (const eventId of ODD_IDS) {
        expect(await harness.claim(anEvent({ eventId }))).toEqual({
          'A.run': { state: 'claimed', attempt: 1 },
        });
      }
      for (const eventId of ODD_IDS) {
        expect(await harness.store.get({ endpoint: 'default', eventId })).toMatchObject({ eventId });
      }
      expect(await harness.store.count()).toBe(ODD_IDS.length);
    });

    it('tell handlers apart, with any characters in their ids', async () => {
      const event = anEvent();
      const lease = aLease();

      const claims = await harness.store.claim(event, ODD_IDS, lease);

      expect([...claims.keys()].sort()).toEqual([...ODD_IDS].sort());
      const settlements = ODD_IDS.map((handlerId) => ({ handlerId, state: 'done' as const }));
      expect([...(await harness.store.settle(event, settlements, lease))].sort()).toEqual(
        [...ODD_IDS].sort(),
      );
    });

    it('can be found by endpoint and type, whatever characters are in them', async () => {
      for (const name of ODD_IDS) await harness.record(anEvent({ endpoint: name, type: name }), 'done');

      for (const name of ODD_IDS) {
        expect((await harness.store.list({ endpoint: name })).entries).toMatchObject([
          { endpoint: name, type: name },
        ]);
        expect(await harness.store.count({ type: name })).toBe(1);
      }
    });

    it('are kept exactly with the type and the time of the event', async () => {
      const odd = ODD_IDS.join('|');
      const event = anEvent({ type: odd, occurredAt: odd });
      await harness.record(event, 'done');
      await harness.store.reopen(event, ['A.run']);

      expect(await harness.entryOf(event)).toMatchObject({ type: odd, occurredAt: odd });
      expect((await harness.store.list()).entries).toMatchObject([{ type: odd, occurredAt: odd }]);
    });

    it('tell handlers apart when runs are reopened, whatever characters are in their ids', async () => {
      const event = anEvent();
      const lease = aLease();
      await harness.store.claim(event, ODD_IDS, lease);
      const dead = ODD_IDS.map((handlerId) => ({ handlerId, state: 'dead' as const }));
      await harness.store.settle(event, dead, lease);

      const { runs } = await harness.entryOf(event);
      expect(runs.map(({ handlerId }) => handlerId).sort()).toEqual([...ODD_IDS].sort());
      for (const handlerId of ODD_IDS)
        expect(await harness.store.reopen(event, [handlerId])).toEqual([handlerId]);
    });

    it('tell apart the same event of two endpoints', async () => {
      const one = anEvent({ endpoint: 'one' });
      await harness.record(one, 'done');

      expect(await harness.claim({ ...one, endpoint: 'two' })).toEqual({
        'A.run': { state: 'claimed', attempt: 1 },
      });
      expect((await harness.entryOf(one)).runs).toMatchObject([{ state: 'done' }]);
    });

    for (const mark of [':', '\u0000', '/', '|', '.', '-']) {
      it(`are not confused by ${JSON.stringify(mark)} between endpoint and event id`, async () => {
        await harness.record(anEvent({ endpoint: 'a', eventId: `${mark}b` }), 'done');

        expect(await harness.claim(anEvent({ endpoint: `a${mark}`, eventId: 'b' }))).toEqual({
          'A.run': { state: 'claimed', attempt: 1 },
        });
      });
    }
  });
}
