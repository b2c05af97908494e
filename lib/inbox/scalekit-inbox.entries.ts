import type { InboxEntry } from './inbox-entry.js';
import type { InboxFilter, InboxStore } from './inbox-store.js';

const PAGE_SIZE = 100;

/** Entries that match, page by page and oldest first, at most `limit`: those that arrive meanwhile count as well. */
export async function* inboxEntries(
  store: InboxStore,
  filter: InboxFilter,
  limit: number,
): AsyncGenerator<InboxEntry, void> {
  let cursor: string | undefined;
  for (let left = limit; left > 0; ) {
    const page = await store.list(filter, { limit: Math.min(left, PAGE_SIZE), ...(cursor && { cursor }) });
    yield* page.entries;
    left -= page.entries.length;
    cursor = page.nextCursor;
    if (cursor === undefined) return;
  }
}
