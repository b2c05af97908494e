import type { InboxEntry, InboxRunCount } from './inbox-store.js';

/** Counts the runs of entries, for stores whose database cannot. */
export class RunCounter {
  readonly #counts = new Map<string, InboxRunCount>();

  add({ endpoint, receivedAt, runs }: Pick<InboxEntry, 'endpoint' | 'receivedAt' | 'runs'>): void {
    for (const { handlerId, state } of runs) {
      const key = JSON.stringify([endpoint, handlerId, state]);
      const known = this.#counts.get(key);
      const oldestReceivedAt =
        known && known.oldestReceivedAt < receivedAt ? known.oldestReceivedAt : receivedAt;
      const count = (known?.count ?? 0) + 1;
      this.#counts.set(key, { endpoint, handlerId, state, count, oldestReceivedAt });
    }
  }

  get counts(): readonly InboxRunCount[] {
    return [...this.#counts.values()];
  }
}
