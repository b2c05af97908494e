import { randomUUID } from 'node:crypto';
import type { HandlerClaim, HandlerSettlement, InboxLease, InboxStore } from '../inbox/inbox-store.js';
import { parseEvent } from '../parse/parse-event.js';
import type { ValidationMode } from '../parse/validation-mode.js';
import { MESSAGES } from '../scalekit-webhooks.messages.js';
import type { EventHandler } from './event-handler.js';
import type { QueuedAttempt, QueuedRun, QueuedRunEnd } from './event-transport.js';
import type { HandlerRegistry } from './handler.registry.js';
import { prepareRun } from './handler.run.js';
import { isFinalFailure, toHandlerError } from './handler-failure.js';
import type { ReceivedEvent } from './received-event.js';

/** What the processor works with. */
export interface QueuedRunProcessorOptions {
  readonly endpoint: string;
  readonly inbox: InboxStore;
  readonly validation: ValidationMode;
}

// As for a delivery: a run may outlast its deadline for as long again before another may take it over.
const LEASE_FACTOR = 2;

/** Works on runs that a delivery has put into a queue: claim, run, settle, as a delivery does with its own. */
export class QueuedRunProcessor {
  constructor(
    private readonly registry: HandlerRegistry,
    private readonly options: QueuedRunProcessorOptions,
  ) {}

  async process(run: QueuedRun, attempt: QueuedAttempt): Promise<QueuedRunEnd> {
    const handler = this.registry.byId(run.handlerId);
    // Another release may have the handler, so the run is not given up before its attempts are.
    if (!handler)
      return { state: 'failed', error: toHandlerError(new Error(MESSAGES.handlerGone(run.handlerId))) };
    const { endpoint, validation, inbox } = this.options;
    // It was judged when it was received, and is not refused any more.
    const parsed = parseEvent(run.rawBody, validation === 'off' ? 'off' : 'lenient');
    const received: ReceivedEvent = { ...run, ...parsed, headers: {} };
    const durationMs = attempt.timeoutMs * LEASE_FACTOR;
    const lease = { token: randomUUID(), durationMs, takesOver: run.leaseToken };

    const { id: eventId, type, occurred_at: occurredAt } = received.event;
    const event = { endpoint, eventId, type, occurredAt, payload: run.rawBody };
    const claim = (await inbox.claim(event, [handler.id], lease)).get(handler.id);
    if (claim?.state !== 'claimed') return endOfUnclaimed(claim);
    const settlement = await this.#run(handler, claim.attempt, received, attempt, lease);
    await inbox.settle(event, [settlement], lease);
    return endOf(settlement);
  }

  async #run(
    handler: EventHandler,
    attempt: number,
    received: ReceivedEvent,
    { timeoutMs, isLast }: QueuedAttempt,
    lease: InboxLease,
  ): Promise<HandlerSettlement> {
    const { endpoint, inbox } = this.options;
    const context = { event: received.event, endpoint, headers: received.headers };
    const handlerId = handler.id;
    try {
      await prepareRun({ handler, attempt, received, context, timeoutMs, inbox, lease }).execute();
      return { handlerId, state: 'done' };
    } catch (thrown) {
      const state = isLast || isFinalFailure(thrown) ? 'dead' : 'queued';
      return { handlerId, state, error: toHandlerError(thrown) };
    }
  }
}

function endOfUnclaimed(claim: Exclude<HandlerClaim, { state: 'claimed' }> | undefined): QueuedRunEnd {
  return claim?.state === 'running' ? { state: 'busy', retryInMs: claim.leaseEndsInMs } : { state: 'done' };
}

function endOf({ state, error }: HandlerSettlement): QueuedRunEnd {
  if (!error) return { state: 'done' };
  return { state: state === 'dead' ? 'dead' : 'failed', error };
}
