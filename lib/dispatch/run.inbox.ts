import type { InboxEvent, InboxStore, RunClaim, RunSettlement } from '../inbox/inbox-store.js';
import type { RunLease } from './claimed-run.js';
import type { RunFault, RunLog } from './delivery.log.js';
import { MESSAGES } from './dispatch.messages.js';
import { toRunError } from './handler-failure.js';
import type { ReceivedEvent } from './received-event.js';
import { retryWithin, TIMED_OUT, type Timeout } from './timeout.js';

/** What an endpoint's inbox needs to know. */
export interface RunInboxOptions {
  readonly endpoint: string;
  readonly inbox: InboxStore;
  readonly log: RunLog;
}

/** Claims and settles runs in an endpoint's inbox, with retries and time limits. */
export class RunInbox {
  readonly #late = new Set<Promise<unknown>>();

  constructor(private readonly options: RunInboxOptions) {}

  /** Retries until it succeeds or the time is over: repeating a claim under the same lease gives the same result. */
  claim(
    received: ReceivedEvent,
    handlerIds: readonly string[],
    lease: RunLease,
    timeLeftMs: () => number,
  ): Promise<ReadonlyMap<string, RunClaim>> {
    const event = this.#toInboxEvent(received);
    return retryWithin(async () => this.options.inbox.claim(event, handlerIds, lease), timeLeftMs);
  }

  /** Retries until it succeeds or the lease ends: a settlement is fenced by its lease, so repeating it is safe. */
  async settle(
    received: ReceivedEvent,
    settlements: readonly RunSettlement[],
    lease: RunLease,
  ): Promise<true> {
    if (settlements.length === 0) return true;
    const key = this.#toInboxEvent(received);
    const written = await retryWithin(
      async () => this.options.inbox.settle(key, settlements, lease),
      () => lease.timeLeftMs(),
    );
    // A worker may take a run from the queue before its delivery has recorded it as queued.
    const isLost = ({ handlerId, state, error }: RunSettlement) =>
      (state !== 'queued' || error !== undefined) && !written.includes(handlerId);
    if (settlements.some(isLost)) this.options.log.fault('lease_lost', received);
    return true;
  }

  /** Claims within a delivery's time. Resolves to undefined when the inbox fails or does not respond in time. */
  claimInTime(received: ReceivedEvent, handlerIds: readonly string[], lease: RunLease, timeout: Timeout) {
    return this.#inTime(
      received,
      'claim_failed',
      timeout,
      () => this.claim(received, handlerIds, lease, () => timeout.timeLeftMs()),
      (claims) => this.#release(received, claims, lease),
    );
  }

  /** Settles within a delivery's time. Resolves to undefined when the inbox fails or does not respond in time. */
  settleInTime(
    received: ReceivedEvent,
    settlements: readonly RunSettlement[],
    lease: RunLease,
    timeout: Timeout,
  ) {
    return this.#inTime(received, 'settle_failed', timeout, () => this.settle(received, settlements, lease));
  }

  /** Settles a run that is still in progress after its delivery, as soon as it ends. */
  settleLate(received: ReceivedEvent, ending: Promise<RunSettlement>, lease: RunLease): void {
    const settled = ending.then((settlement) => {
      this.options.log.lateEnd(received, settlement);
      return this.settle(received, [settlement], lease);
    });
    this.#finishLater(received, 'settle_failed', settled);
  }

  /** Resolves when all work that continued after its delivery has ended: runs, their settlements, and late claims. */
  async drain(): Promise<void> {
    await Promise.allSettled(this.#late);
  }

  /** Releases claims that came too late, so that a retry does not have to wait for their lease to end. */
  #release(received: ReceivedEvent, claims: ReadonlyMap<string, RunClaim>, lease: RunLease): Promise<true> {
    const claimed = [...claims].filter(([, { state }]) => state === 'claimed');
    const error = new Error(MESSAGES.claimedTooLate);
    const released = claimed.map(([handlerId]) => failedSettlement(handlerId, error));
    return this.settle(received, released, lease);
  }

  async #inTime<T>(
    received: ReceivedEvent,
    fault: RunFault,
    timeout: Timeout,
    ask: () => Promise<T>,
    whenLate?: (answer: T) => Promise<unknown>,
  ): Promise<T | undefined> {
    try {
      const asked = ask();
      const answer = await timeout.wait(asked);
      if (answer !== TIMED_OUT) return answer;
      this.#finishLater(received, fault, asked.then(whenLate));
      throw new Error(MESSAGES.inboxTooSlow);
    } catch (error) {
      this.options.log.fault(fault, received, error);
      return undefined;
    }
  }

  #finishLater(received: ReceivedEvent, fault: RunFault, work: Promise<unknown>): void {
    const late = work
      .catch((error) => this.options.log.fault(fault, received, error))
      .finally(() => this.#late.delete(late));
    this.#late.add(late);
  }

  #toInboxEvent({ event, rawBody: payload }: ReceivedEvent): InboxEvent {
    const { id: eventId, type, occurred_at: occurredAt } = event;
    return { endpoint: this.options.endpoint, eventId, type, occurredAt, payload };
  }
}

/** The settlement of a run that was not executed. A retry can claim it. */
export function failedSettlement(handlerId: string, error: unknown): RunSettlement {
  return { handlerId, state: 'failed', error: toRunError(error) };
}
