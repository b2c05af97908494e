import type { InboxKey, InboxLease, InboxStore, RunSettlement } from 'nestjs-scalekit-webhooks';
import type { Journal } from './journal.js';

/** Writes to the journal whether the inbox recorded the end of each attempt. */
export function journaled(inbox: InboxStore, journal: Journal): InboxStore {
  const attempts = new Map<string, number>();
  const attemptKey = (handlerId: string, { token }: InboxLease) => `${token} ${handlerId}`;

  const watched: Pick<InboxStore, 'claim' | 'settle'> = {
    async claim(event, handlerIds, lease) {
      const claims = await inbox.claim(event, handlerIds, lease);
      for (const [handlerId, claim] of claims) {
        if (claim.state === 'claimed') attempts.set(attemptKey(handlerId, lease), claim.attempt);
      }
      return claims;
    },
    async settle(key: InboxKey, settlements: readonly RunSettlement[], lease: InboxLease) {
      const note = (step: 'settled' | 'lapsed' | 'unsettled', handlerId: string) => {
        const attempt = attemptKey(handlerId, lease);
        journal.write(step, handlerId, key.eventId, attempts.get(attempt) ?? 0);
        attempts.delete(attempt);
      };
      // A run that was queued has not begun.
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
