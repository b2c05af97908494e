import type { InboxKey, InboxLease, InboxStore, RunSettlement } from 'nestjs-scalekit-webhooks';
import type { Journal } from './journal.js';

/** Has the journal tell of each run whether the inbox recorded its end. */
export function journaled(inbox: InboxStore, journal: Journal): InboxStore {
  const attempts = new Map<string, number>();
  const runOf = (handlerId: string, { token }: InboxLease) => `${token} ${handlerId}`;

  const watched: Pick<InboxStore, 'claim' | 'settle'> = {
    async claim(event, handlerIds, lease) {
      const claims = await inbox.claim(event, handlerIds, lease);
      for (const [handlerId, claim] of claims) {
        if (claim.state === 'claimed') attempts.set(runOf(handlerId, lease), claim.attempt);
      }
      return claims;
    },
    async settle(key: InboxKey, settlements: readonly RunSettlement[], lease: InboxLease) {
      const note = (step: 'settled' | 'lapsed' | 'unsettled', handlerId: string) => {
        const run = runOf(handlerId, lease);
        journal.write(step, handlerId, key.eventId, attempts.get(run) ?? 0);
        attempts.delete(run);
      };
      // A run that was put into a queue has not begun.
      const ended = settlements.filter(({ state, error }) => state !== 'queued' || error);
      try {
        const written = await inbox.settle(key, settlements, lease);
        for (const { handlerId } of ended) {
          note(written.includes(handlerId) ? 'settled' : 'lapsed', handlerId);
        }
        return written;
      } catch (error) {
        for (const { handlerId } of ended) note('unsettled', handlerId);
        throw error;
      }
    },
  };
  return new Proxy(inbox, {
    get(target, property) {
      if (property === 'claim' || property === 'settle') return watched[property];
      const value: unknown = Reflect.get(target, property, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}
