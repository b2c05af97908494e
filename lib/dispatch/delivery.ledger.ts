import type { InboxLease, InboxStore, RunClaim, RunSettlement } from '../inbox/inbox-store.js';
import { MESSAGES } from './dispatch.messages.js';
import type { DispatchResult } from './dispatch-result.js';
import { toHandlerError } from './handler-failure.js';
import type { ReceivedEvent } from './received-event.js';
import { TIMED_OUT, Timeout } from './timeout.js';

/** What can go wrong between an answer and the inbox or the transport. */
export type ProcessingFault = 'claim_failed' | 'start_failed' | 'settle_failed' | 'lease_lost';

/** Hears how deliveries fared. */
export interface ProcessingLog {
  /** A delivery has its result. */
  result(received: ReceivedEvent, result: DispatchResult): void;
  fault(fault: ProcessingFault, received: ReceivedEvent, error?: unknown): void;
  /** A run ended after its delivery was answered. */
  lateEnd(received: ReceivedEvent, settlement: RunSettlement): void;
}

/** What the ledger works with. */
export interface DeliveryLedgerOptions {
  readonly endpoint: string;
  readonly inbox: InboxStore;
  readonly handlerTimeoutMs: number;
  readonly log: ProcessingLog;
}

// What the inbox gets after the handlers' deadline, so that an answer still leaves within Scalekit's 10 s.
const INBOX_GRACE_MS = 500;

/** The inbox as deliveries use it: within their time, and with an end for what comes too late. */
export class DeliveryLedger {
  readonly #late = new Set<Promise<unknown>>();

  constructor(private readonly options: DeliveryLedgerOptions) {}

  /** How long a delivery waits for the inbox: a little beyond its handlers' time. */
  patienceFor(received: ReceivedEvent): Timeout {
    return new Timeout(this.timeLeft(received) + INBOX_GRACE_MS);
  }

  /** Undefined where the inbox cannot be reached in time. */
  claim(
    received: ReceivedEvent,
    handlerIds: readonly string[],
    lease: InboxLease,
    patience: Timeout,
  ): Promise<ReadonlyMap<string, RunClaim> | undefined> {
    const event = received.forInbox(this.options.endpoint);
    return this.#reach(
      received,
      'claim_failed',
      patience,
      () => this.options.inbox.claim(event, handlerIds, lease),
      (claims) => this.#release(received, claims, lease),
    );
  }

  /** True where the inbox took it in time. */
  settle(
    received: ReceivedEvent,
    settlements: readonly RunSettlement[],
    lease: InboxLease,
    patience: Timeout,
  ): Promise<true | undefined> {
    const record = () => this.#record(received, settlements, lease);
    return this.#reach(received, 'settle_failed', patience, record);
  }

  /** Settles a run that outlives its delivery when it ends. */
  settleLate(received: ReceivedEvent, ending: Promise<RunSettlement>, lease: InboxLease): void {
    const settled = ending.then((settlement) => {
      this.options.log.lateEnd(received, settlement);
      return this.#record(received, [settlement], lease);
    });
    this.#finishLater(received, 'settle_failed', settled);
  }

  /** Resolves when everything late has ended: runs and their records, and answers of the inbox. */
  async drain(): Promise<void> {
    await Promise.allSettled(this.#late);
  }

  /** How much of the handlers' time is left, in ms; below 0 after the deadline. */
  timeLeft({ receivedAt }: ReceivedEvent): number {
    return receivedAt.getTime() + this.options.handlerTimeoutMs - Date.now();
  }

  /** Gives back claims that came too late to be run, so that a retry need not wait for their lease to end. */
  async #release(
    received: ReceivedEvent,
    claims: ReadonlyMap<string, RunClaim>,
    lease: InboxLease,
  ): Promise<true> {
    const claimed = [...claims].filter(([, { state }]) => state === 'claimed');
    const error = new Error(MESSAGES.claimedTooLate);
    const released = claimed.map(([handlerId]) => failedSettlement(handlerId, error));
    return this.#record(received, released, lease);
  }

  async #record(
    received: ReceivedEvent,
    settlements: readonly RunSettlement[],
    lease: InboxLease,
  ): Promise<true> {
    if (settlements.length === 0) return true;
    const key = { endpoint: this.options.endpoint, eventId: received.event.id };
    const written = await this.options.inbox.settle(key, settlements, lease);
    // A queued run that cannot be written is with a worker that was quicker.
    const isLost = ({ handlerId, state }: RunSettlement) =>
      state !== 'queued' && !written.includes(handlerId);
    if (settlements.some(isLost)) this.options.log.fault('lease_lost', received);
    return true;
  }

  async #reach<T>(
    received: ReceivedEvent,
    fault: ProcessingFault,
    patience: Timeout,
    ask: () => Promise<T>,
    whenLate?: (answer: T) => Promise<unknown>,
  ): Promise<T | undefined> {
    try {
      const asked = ask();
      const answer = await patience.wait(asked);
      if (answer !== TIMED_OUT) return answer;
      this.#finishLater(received, fault, asked.then(whenLate));
      throw new Error(MESSAGES.inboxTooSlow);
    } catch (error) {
      this.options.log.fault(fault, received, error);
      return undefined;
    }
  }

  #finishLater(received: ReceivedEvent, fault: ProcessingFault, work: Promise<unknown>): void {
    const late = work
      .catch((error) => this.options.log.fault(fault, received, error))
      .finally(() => this.#late.delete(late));
    this.#late.add(late);
  }
}

/** The end of a run that did not take place: a retry may claim it again. */
export function failedSettlement(handlerId: string, error: unknown): RunSettlement {
  return { handlerId, state: 'failed', error: toHandlerError(error) };
}
