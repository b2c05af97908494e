import type { InboxLease, InboxStore, RunClaim, RunSettlement } from '../inbox/inbox-store.js';
import type { ValidationMode } from '../parse/parse-event.js';
import { parseReceivedEvent } from '../parse/parse-event.js';
import { ClaimedRun, RunLease } from './claimed-run.js';
import type { DeliveryLog } from './delivery.log.js';
import { MESSAGES } from './dispatch.messages.js';
import type { QueuedAttempt, QueuedRun, QueuedRunEnd } from './event-transport.js';
import type { HandlerRegistry } from './handler.registry.js';
import { ScalekitEventContext } from './handler.registry.js';
import { isFinalFailure, toHandlerError } from './handler-failure.js';
import { ReceivedEvent } from './received-event.js';
import { TIMED_OUT, waitAtMost } from './timeout.js';

/** What the processor works with. */
export interface QueuedRunProcessorOptions {
  readonly endpoint: string;
  readonly inbox: InboxStore;
  readonly validation: ValidationMode;
  /** Hears how each attempt ended. */
  readonly log: Pick<DeliveryLog, 'queuedEnd' | 'fault'>;
}

/** Works on runs that a delivery has put into a queue: claim, run, settle, as a delivery does with its own. */
export class QueuedRunProcessor {
  constructor(
    private readonly registry: HandlerRegistry,
    private readonly options: QueuedRunProcessorOptions,
  ) {}

  async process(run: QueuedRun, attempt: QueuedAttempt): Promise<QueuedRunEnd> {
    const { endpoint, validation, inbox, log } = this.options;
    const parsed = parseReceivedEvent(run.rawBody, validation);
    const received = new ReceivedEvent(parsed, run);
    const lease = new RunLease(attempt.timeoutMs, run.leaseToken);
    const event = received.forInbox(endpoint);
    const claim = (await inbox.claim(event, [run.handlerId], lease)).get(run.handlerId);
    if (claim?.state !== 'claimed') return endOfUnclaimed(claim);
    const settlement = await this.#run(run.handlerId, claim.attempt, received, attempt, lease);
    log.queuedEnd(received, settlement);
    const written = await inbox.settle(event, [settlement], lease);
    if (written.length === 0) log.fault('lease_lost', received);
    return endOf(settlement);
  }

  async #run(
    handlerId: string,
    attempt: number,
    received: ReceivedEvent,
    { timeoutMs, isLast }: QueuedAttempt,
    lease: InboxLease,
  ): Promise<RunSettlement> {
    const { endpoint, inbox } = this.options;
    const context = new ScalekitEventContext(received, endpoint);
    const handler = this.registry.byId(handlerId);
    try {
      // Another release may have the handler, so the run is not given up before its attempts are.
      if (!handler) throw new Error(MESSAGES.handlerGone(handlerId));
      const run = new ClaimedRun({ handler, attempt, received, context, timeoutMs, inbox, lease });
      // Beyond its lease a run could no longer record its end, and would hold the worker's place for nothing.
      const end = await waitAtMost(run.execute(), lease.durationMs);
      if (end === TIMED_OUT) throw new Error(MESSAGES.queuedRunHangs);
      return { handlerId, state: 'done' };
    } catch (thrown) {
      const state = isLast || isFinalFailure(thrown) ? 'dead' : 'queued';
      return { handlerId, state, error: toHandlerError(thrown) };
    }
  }
}

function endOfUnclaimed(claim: Exclude<RunClaim, { state: 'claimed' }> | undefined): QueuedRunEnd {
  if (claim?.state === 'running') return { state: 'busy', retryInMs: claim.leaseEndsInMs };
  if (claim?.state === 'dead')
    return { state: 'dead', error: toHandlerError(new Error(MESSAGES.queuedRunDead)) };
  return { state: 'done' };
}

function endOf({ state, error }: RunSettlement): QueuedRunEnd {
  if (!error) return { state: 'done' };
  return { state: state === 'dead' ? 'dead' : 'failed', error };
}
