import { type InboxRecoveryStore, isRecoveryStore } from '../../inbox/inbox-work.js';
import { aLease, type ConformanceHarness, type ConformanceRunner, LEASE_MS } from './inbox-store.harness.js';

const NOON = new Date('2026-01-02T12:00:00.123Z');
const LATER = new Date('2026-01-02T13:00:00.456Z');

/** Remembering how far a recovery has come. Stores that do not remember it pass these tests. */
export function describeRecovery(harness: ConformanceHarness, runner: ConformanceRunner): void {
  const { describe, it, expect } = runner;
  const test = (name: string, body: (store: InboxRecoveryStore) => Promise<void>) =>
    it(name, async () => {
      if (isRecoveryStore(harness.store)) await body(harness.store);
    });

  describe('beginRecovery', () => {
    test('gives the right to one process, without a checkpoint at first', async (store) => {
      expect(await store.beginRecovery('default', aLease())).toEqual({});
      expect(await store.beginRecovery('default', aLease())).toBeUndefined();
    });

    test('gives it to exactly one of many that ask at the same time', async (store) => {
      const answers = await Promise.all(
        Array.from({ length: 20 }, () => store.beginRecovery('default', aLease())),
      );

      expect(answers.filter((start) => start !== undefined)).toHaveLength(1);
    });

    test('gives it again when the lease has ended', async (store) => {
      await store.beginRecovery('default', aLease());
      await harness.advance(LEASE_MS + 1);

      expect(await store.beginRecovery('default', aLease())).toEqual({});
    });

    test('lets the lease begin anew for the process that holds it', async (store) => {
      const lease = aLease();
      await store.beginRecovery('default', lease);
      await harness.advance(LEASE_MS * 0.75);

      expect(await store.beginRecovery('default', lease)).toEqual({});

      await harness.advance(LEASE_MS * 0.75);
      expect(await store.beginRecovery('default', aLease())).toBeUndefined();
    });

    test('keeps endpoints apart, whatever their names', async (store) => {
      for (const endpoint of ['live', 'Live', 'with space:{}', 'naïve\u0000']) {
        expect(await store.beginRecovery(endpoint, aLease())).toEqual({});
        expect(await store.beginRecovery(endpoint, aLease())).toBeUndefined();
      }
    });
  });

  describe('endRecovery', () => {
    test('moves the checkpoint, and lets another process begin at once', async (store) => {
      const lease = aLease();
      await store.beginRecovery('default', lease);

      expect(await store.endRecovery('default', lease, NOON)).toBe(true);

      expect(await store.beginRecovery('default', aLease())).toEqual({ checkpoint: NOON });
      expect(await store.beginRecovery('other', aLease())).toEqual({});
    });

    test('leaves the checkpoint where it is without a new one', async (store) => {
      for (const checkpoint of [NOON, undefined]) {
        const lease = aLease();
        await store.beginRecovery('default', lease);
        expect(await store.endRecovery('default', lease, checkpoint)).toBe(true);
      }

      expect(await store.beginRecovery('default', aLease())).toEqual({ checkpoint: NOON });
    });

    test('never moves the checkpoint back', async (store) => {
      for (const checkpoint of [LATER, NOON]) {
        const lease = aLease();
        await store.beginRecovery('default', lease);
        await store.endRecovery('default', lease, checkpoint);
      }

      expect(await store.beginRecovery('default', aLease())).toEqual({ checkpoint: LATER });
    });

    test('can be repeated', async (store) => {
      const lease = aLease();
      await store.beginRecovery('default', lease);

      expect(await store.endRecovery('default', lease, NOON)).toBe(true);
      expect(await store.endRecovery('default', lease, NOON)).toBe(true);
    });

    test('does nothing for a process that another one has taken over from', async (store) => {
      const lost = aLease();
      await store.beginRecovery('default', lost);
      await harness.advance(LEASE_MS + 1);
      const next = aLease();
      await store.beginRecovery('default', next);

      expect(await store.endRecovery('default', lost, LATER)).toBe(false);

      expect(await store.beginRecovery('default', next)).toEqual({});
      expect(await store.beginRecovery('default', aLease())).toBeUndefined();
    });

    test('does nothing for a process that never began', async (store) => {
      expect(await store.endRecovery('default', aLease(), NOON)).toBe(false);
      expect(await store.beginRecovery('default', aLease())).toEqual({});
    });
  });
}
