import { ScalekitWebhooksConfigurationError } from '../errors/errors.js';
import { describeValue } from '../errors/settings.js';
import { organizationOf, scalekitEventEntity } from '../events/event-entity.js';
import type { ScalekitEvent } from '../events/scalekit-event.types.js';
import type { InboxKey } from '../inbox/inbox-queries.js';
import type { InboxEntity, InboxLease, InboxStore } from '../inbox/inbox-store.js';
import { isWorkStore, type OrderPlace } from '../inbox/inbox-work.js';
import { entityKey } from '../inbox/run-states.js';
import { MESSAGES } from './dispatch.messages.js';
import type { EventTransport } from './event-transport.js';
import type { EventHandler, EventOrder } from './handler.registry.js';
import { sleep } from './timeout.js';

const OCCURRED_AT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.(\d+))?(?:Z|[+-]\d\d:\d\d)$/i;

/** When an event happened, in microseconds since 1970, or undefined if its time is not in ISO 8601. */
export function occurredAtOf({ occurred_at: text }: ScalekitEvent): number | undefined {
  const match = OCCURRED_AT.exec(text);
  if (!match) return undefined;
  const [, fraction = ''] = match;
  const ms = Date.parse(text);
  // A Date has milliseconds. The next three digits are microseconds.
  return Number.isNaN(ms) ? undefined : ms * 1000 + Number(fraction.padEnd(6, '0').slice(3, 6));
}

// How long to wait before the inbox is asked again whether the entity is free.
const FIRST_WAIT_MS = 10;
const LONGEST_WAIT_MS = 200;

/** How long a worker waits before it gives a run back, in ms, because it could execute other runs. */
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

/**
 * The place of an event's run among the other runs of the handler, or undefined if the handler keeps no order, or there is
 * none for this event.
 *
 * @throws an error if the handler's `order` function throws, or does not return a text
 */
export function placeOf(
  handler: EventHandler,
  endpoint: string,
  event: ScalekitEvent,
): OrderPlace | undefined {
  const { id, order } = handler;
  if (order === undefined) return undefined;
  const name = orderNameOf(id, order, event);
  const occurredAt = occurredAtOf(event);
  if (name === undefined || occurredAt === undefined) return undefined;
  // A digest, because what a function returns may say something about a person, and may be long.
  return { key: entityKey({ endpoint }, id, name), occurredAt };
}

function orderNameOf(id: string, order: EventOrder, event: ScalekitEvent): string | undefined {
  if (order === 'entity') return scalekitEventEntity(event);
  if (order === 'organization') return organizationOf(event);
  const name: unknown = order(event);
  if (name === undefined || (typeof name === 'string' && name !== '')) return name;
  throw new TypeError(MESSAGES.orderIsNoText(id, describeValue(name)));
}

/**
 * The places of an event's runs, by handler id. A run whose `order` function fails is handed to the workers without one: the
 * attempt then fails with the function's error, so that the event is neither lost nor handled out of order.
 */
export function placesOf(
  handlers: readonly EventHandler[],
  endpoint: string,
  event: ScalekitEvent,
): ReadonlyMap<string, OrderPlace> {
  const places = new Map<string, OrderPlace>();
  for (const handler of handlers) {
    try {
      const place = placeOf(handler, endpoint, event);
      if (place) places.set(handler.id, place);
    } catch {
      // The attempt asks again.
    }
  }
  return places;
}

/** Why a handler cannot run, if it needs what the inbox or the transport does not have. */
export function orderingError(
  { id, latestOnly, order }: EventHandler,
  inbox: InboxStore,
  { inboxWork }: EventTransport,
): ScalekitWebhooksConfigurationError | undefined {
  const refuse = (setting: string, text: string) => new ScalekitWebhooksConfigurationError(setting, text);
  const { name } = inbox.constructor;
  if (order !== undefined && (!inboxWork || inboxWork.retriesInMs !== undefined)) {
    return refuse('order', MESSAGES.orderWithoutWorkers(id));
  }
  if (order !== undefined && isWorkStore(inbox) && typeof inbox.endTurn !== 'function') {
    return refuse('order', MESSAGES.inboxWithoutTurns(id, name));
  }
  if (latestOnly && typeof inbox.admit !== 'function') {
    return refuse('latestOnly', MESSAGES.inboxWithoutAdmit(id, name));
  }
  return undefined;
}
