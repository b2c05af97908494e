import type { InboxKey } from '../inbox/inbox-queries.js';
import type { InboxEvent, InboxLease, RunSettlement } from '../inbox/inbox-store.js';
import { toStorableText } from '../inbox/storable-text.js';
import { textOf } from './postgres.reads.js';
import type { PostgresRow } from './postgres-queryable.js';

export function toKey({ endpoint, eventId }: InboxKey): string[] {
  return [toStorableText(endpoint), toStorableText(eventId)];
}

/** The values of `recordSql`. */
export function toRecordValues(event: InboxEvent): unknown[] {
  const { type, occurredAt, payload, delivery } = event;
  return [
    ...toKey(event),
    toStorableText(type),
    toStorableText(occurredAt),
    payload,
    delivery ? toStorableText(JSON.stringify(delivery)) : null,
  ];
}

/** The values of the claim statement. */
export function toClaimValues(
  event: InboxEvent,
  handlerIds: readonly string[],
  { token, durationMs, takesOver, retryInMs }: InboxLease,
): unknown[] {
  return [
    ...toRecordValues(event),
    handlerIds.map(toStorableText),
    toStorableText(token),
    durationMs,
    takesOver ? toStorableText(takesOver) : null,
    retryInMs === undefined ? null : Math.max(retryInMs, durationMs),
  ];
}

/** Handler ids, states, error names, error messages and waits of several settlements. */
export function toSettlementColumns(settlements: readonly RunSettlement[]): unknown[][] {
  return [
    settlements.map(({ handlerId }) => toStorableText(handlerId)),
    settlements.map(({ state }) => state),
    settlements.map(({ error }) => (error ? toStorableText(error.name) : null)),
    settlements.map(({ error }) => (error ? toStorableText(error.message) : null)),
    settlements.map(({ retryInMs }) => retryInMs ?? null),
  ];
}

const MAX_ROUNDS = 5;

/**
 * Executes a statement about handlers until each of them has a row: a run that another transaction changed during the
 * statement is missing from its result, and another round nearly always finds it.
 *
 * @returns the handlers that are still missing
 */
export async function inRounds(
  handlerIds: readonly string[],
  ask: (handlerIds: readonly string[]) => Promise<readonly PostgresRow[]>,
): Promise<readonly string[]> {
  let missing = [...new Set(handlerIds)];
  let rounds = 0;
  // The first round takes place even without handlers, because it records the event.
  do {
    const rows = await ask(missing);
    const found = new Set(rows.map((row) => textOf(row, 'handler_id')));
    missing = missing.filter((handlerId) => !found.has(handlerId));
    rounds += 1;
  } while (missing.length > 0 && rounds < MAX_ROUNDS);
  return missing;
}
