import { ScalekitWebhooksConfigurationError } from '../errors/errors.js';
import { scalekitEventEntity } from '../events/event-entity.js';
import type { ScalekitEvent } from '../events/scalekit-event.types.js';
import type { InboxKey } from '../inbox/inbox-queries.js';
import type { InboxEntity, InboxLease, InboxStore } from '../inbox/inbox-store.js';
import { MESSAGES } from './dispatch.messages.js';
import type { EventHandler } from './handler.registry.js';
import { sleep } from './timeout.js';

const OCCURRED_AT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.(\d+))?(?:Z|[+-]\d\d:\d\d)$/i;

/** When an event happened, in microseconds since 1970, or undefined if its time is not in ISO 8601. */
export function occurredAtOf({ occurred_at: text }: ScalekitEvent): number | undefined {
  const [, fraction = ''] = OCCURRED_AT.exec(text) ?? [];
  const ms = OCCURRED_AT.test(text) ? Date.parse(text) : Number.NaN;
  // A Date has milliseconds. The next three digits are microseconds.
  return Number.isNaN(ms) ? undefined : ms * 1000 + Number(fraction.padEnd(6, '0').slice(3, 6));
}

// How long to wait before the inbox is asked again whether the entity is free.
const FIRST_WAIT_MS = 10;
const LONGEST_WAIT_MS = 200;

/** How long a worker waits before it gives a run back, in ms: it could execute others. */
export const WORKER_PATIENCE_MS = 500;

/** When to try a run again that had to wait, in ms. Different for each, so that they do not all come back at once. */
export function heldBackForMs(): number {
  return Math.ceil(500 * (1 + Math.random()));
}

/** A claimed run that asks to go on. */
export interface EntityTurnRequest {
  readonly inbox: InboxStore;
  readonly key: InboxKey;
  readonly handlerId: string;
  readonly lease: InboxLease;
  readonly event: ScalekitEvent;
  /** How long to wait for a run of another event of the entity, in ms. */
  readonly patienceMs: number;
}

/**
 * Waits until no other event of the same entity is being handled. A run whose event has no entity or no time goes on at
 * once.
 *
 * @returns whether the run may go on, or is `stale` because a newer event is done; or why it cannot go on now
 */
export async function waitForTurn(request: EntityTurnRequest): Promise<'admitted' | 'stale' | Error> {
  const { inbox, key, handlerId, lease, event, patienceMs } = request;
  const entity = entityOf(event);
  if (!inbox.admit || !entity) return 'admitted';
  const giveUpAt = Date.now() + patienceMs;
  for (let waitMs = FIRST_WAIT_MS; ; waitMs = Math.min(2 * waitMs, LONGEST_WAIT_MS)) {
    let reason = new Error(MESSAGES.entityBusy);
    try {
      const admission = await inbox.admit(key, handlerId, lease, entity);
      if (admission !== 'busy') return admission;
    } catch (error) {
      reason = error instanceof Error ? error : new Error(String(error));
    }
    if (Date.now() + waitMs >= giveUpAt) return reason;
    await sleep(waitMs * (0.5 + Math.random() / 2));
  }
}

function entityOf(event: ScalekitEvent): InboxEntity | undefined {
  const name = scalekitEventEntity(event);
  const occurredAt = occurredAtOf(event);
  return name === undefined || occurredAt === undefined ? undefined : { name, occurredAt };
}

/** Why a handler cannot run with this inbox, if it needs what the inbox does not have. */
export function orderingError(
  { id, latestOnly }: EventHandler,
  inbox: InboxStore,
): ScalekitWebhooksConfigurationError | undefined {
  if (!latestOnly || typeof inbox.admit === 'function') return undefined;
  const text = MESSAGES.inboxWithoutAdmit(id, inbox.constructor.name);
  return new ScalekitWebhooksConfigurationError('latestOnly', text);
}
