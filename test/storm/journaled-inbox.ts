import type {
  InboxKey,
  InboxLease,
  InboxStore,
  InboxWorkStore,
  RunSettlement,
} from 'nestjs-scalekit-webhooks';
import type { AttemptStep, Journal } from './journal.js';

/** Writes to the journal whether the inbox recorded the end of each attempt. */
export function journaled(inbox: InboxStore & Partial<InboxWorkStore>, journal: Journal): InboxStore {
  const attempts = new Map<string, number>();
  const attemptKey = (handlerId: string, { token }: InboxLease, eventId: string) =>
    `${token} ${handlerId} ${eventId}`;

  const watched: Pick<InboxWorkStore, 'claim' | 'settle' | 'takeDue'> = {
    async takeDue(request) {
      const askedAt = Date.now();
      const due = (await inbox.takeDue?.(request)) ?? { runs: [], isPaused: false };
      for (const { handlerId, eventId, attempt } of due.runs) {
        attempts.set(attemptKey(handlerId, request.lease, eventId), attempt);
        journal.write('taken', handlerId, eventId, attempt, askedAt);
      }
      return due;
    },
    async claim(event, handlerIds, lease) {
      const claims = await inbox.claim(event, handlerIds, lease);
      for (const [handlerId, claim] of claims) {
        if (claim.state === 'claimed')
          attempts.set(attemptKey(handlerId, lease, event.eventId), claim.attempt);
      }
      return claims;
    },
    async settle(key: InboxKey, settlements: readonly RunSettlement[], lease: InboxLease) {
      // A run that was queued has not begun.
      const ended = settlements.filter(({ state, error }) => state !== 'queued' || error);
      const note = (step: AttemptStep, { handlerId }: RunSettlement) =>
        journal.write(
          step,
          handlerId,
          key.eventId,
          attempts.get(attemptKey(handlerId, lease, key.eventId)) ?? 0,
        );
      for (const settlement of ended) note('settling', settlement);
      try {
        const written = await inbox.settle(key, settlements, lease);
        for (const settlement of ended) {
          note(written.includes(settlement.handlerId) ? 'settled' : 'lapsed', settlement);
        }
        return written;
      } catch (error) {
        for (const settlement of ended) note('unsettled', settlement);
        throw error;
      }
    },
  };
  return new Proxy(inbox, {
    get(target, property) {
      if (property === 'claim' || property === 'settle') return watched[property];
      if (property === 'takeDue' && target.takeDue) return watched.takeDue;
      const value: unknown = Reflect.get(target, property, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}
