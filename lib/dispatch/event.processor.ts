import type { InboxLease, RunClaim, RunSettlement } from '../inbox/inbox-store.js';
import { ClaimedRun, leaseMsFor, RunLease } from './claimed-run.js';
import { DeliveryLedger, type DeliveryLedgerOptions, failedSettlement } from './delivery.ledger.js';
import { MESSAGES } from './dispatch.messages.js';
import type { DispatchResult } from './dispatch-result.js';
import { aggregateOutcome, type HandlerReport, reportClaim, reportRun } from './dispatch-result.js';
import type { EventTransport } from './event-transport.js';
import type { HandlerRegistry } from './handler.registry.js';
import { type EventHandler, ScalekitEventContext } from './handler.registry.js';
import type { ReceivedEvent } from './received-event.js';
import { TIMED_OUT, Timeout } from './timeout.js';

/** What the processor works with. */
export interface EventProcessorOptions extends DeliveryLedgerOptions {
  readonly transport: EventTransport;
}

/** How a run ended as far as its delivery waited: without a settlement it goes on. */
interface RunEnd {
  readonly report: HandlerReport;
  readonly settlement?: RunSettlement;
}

/** From a received event to its outcome: claim, run, settle. Two round trips to the inbox, however many handlers. */
export class EventProcessor {
  readonly #ledger: DeliveryLedger;

  constructor(
    private readonly registry: HandlerRegistry,
    private readonly options: EventProcessorOptions,
  ) {
    this.#ledger = new DeliveryLedger(options);
  }

  /** How long a claim holds. */
  get leaseMs(): number {
    return leaseMsFor(this.options.handlerTimeoutMs);
  }

  /** @param only the ids of the handlers to run, instead of all that take the event */
  async process(received: ReceivedEvent, only?: readonly string[]): Promise<DispatchResult> {
    const matching = this.registry.matching(received.event.type);
    const handlers = only ? matching.filter(({ id }) => only.includes(id)) : matching;
    if (handlers.length === 0) return this.#conclude(received, { outcome: 'ignored', handlers: [] });
    const lease = new RunLease(this.options.handlerTimeoutMs);
    const handlerIds = handlers.map(({ id }) => id);
    const patience = this.#ledger.patienceFor(received);
    try {
      const claims = await this.#ledger.claim(received, handlerIds, lease, patience);
      if (!claims) return this.#conclude(received, { outcome: 'unavailable', handlers: [] });
      const ends = await this.#run(received, this.#prepare(received, handlers, claims, lease), lease);
      const settled = await this.#ledger.settle(received, settlementsOf(ends), lease, patience);

      const reports = handlerIds.map((id) => ends.get(id)?.report ?? reportClaim(id, claims.get(id)));
      const outcome = settled ? aggregateOutcome(reports) : 'unavailable';
      return this.#conclude(received, { outcome, handlers: reports }, retryAfter(claims));
    } finally {
      patience.end();
    }
  }

  /** Resolves when all that outlived its delivery has ended. */
  drain(): Promise<void> {
    return this.#ledger.drain();
  }

  #prepare(
    received: ReceivedEvent,
    handlers: readonly EventHandler[],
    claims: ReadonlyMap<string, RunClaim>,
    lease: InboxLease,
  ): readonly ClaimedRun[] {
    const { endpoint, inbox } = this.options;
    const context = new ScalekitEventContext(received, endpoint);
    const timeoutMs = this.#ledger.timeLeft(received);
    const runs: ClaimedRun[] = [];
    for (const handler of handlers) {
      const claim = claims.get(handler.id);
      if (claim?.state !== 'claimed') continue;
      const { attempt } = claim;
      runs.push(new ClaimedRun({ handler, attempt, received, context, timeoutMs, inbox, lease }));
    }
    return runs;
  }

  /** How the runs ended, by handler id. */
  async #run(
    received: ReceivedEvent,
    runs: readonly ClaimedRun[],
    lease: InboxLease,
  ): Promise<ReadonlyMap<string, RunEnd>> {
    const ends = new Map<string, RunEnd>();
    if (runs.length === 0) return ends;
    const completions = this.#start(received, runs, lease);
    const endings = runs.map((run, index) => this.#endOf(received, run, completions[index], lease));
    // Not one after another: should one reject, the others would be rejections that nobody hears of.
    for (const end of await Promise.all(endings)) ends.set(end.report.handlerId, end);
    return ends;
  }

  #start(
    { event, rawBody, deliveryId, receivedAt }: ReceivedEvent,
    runs: readonly ClaimedRun[],
    { token: leaseToken }: InboxLease,
  ): readonly Promise<RunSettlement>[] {
    const { endpoint, transport } = this.options;
    try {
      return transport.start({ endpoint, event, rawBody, deliveryId, receivedAt, leaseToken, runs });
    } catch (error) {
      return runs.map(() => Promise.reject(error));
    }
  }

  /** Never rejects. */
  async #endOf(
    received: ReceivedEvent,
    run: ClaimedRun,
    completion: Promise<RunSettlement> | undefined,
    lease: InboxLease,
  ): Promise<RunEnd> {
    const { handlerId } = run;
    const { spansProcesses } = this.options.transport;
    const patience = new Timeout(spansProcesses ? this.#ledger.timeLeft(received) : run.timeoutMs);
    try {
      if (!completion) throw new Error(MESSAGES.transportReturnedTooFew);
      const settlement = await patience.wait(completion);
      if (settlement !== TIMED_OUT) {
        return { settlement, report: reportRun(handlerId, settlement, run.isOverdue) };
      }
      const late = completion.catch((error) => this.#notStarted(received, handlerId, error));
      this.#ledger.settleLate(received, late, lease);
      return { report: { handlerId, state: 'overdue' } };
    } catch (error) {
      const settlement = this.#notStarted(received, handlerId, error);
      return { settlement, report: { handlerId, state: 'not_started' } };
    } finally {
      patience.end();
    }
  }

  /** A run that the transport could not take is released, for a retry to start. */
  #notStarted(received: ReceivedEvent, handlerId: string, error: unknown): RunSettlement {
    this.options.log.fault('start_failed', received, error);
    return failedSettlement(handlerId, error);
  }

  #conclude(received: ReceivedEvent, ended: DispatchResult, retryAfterSeconds?: number): DispatchResult {
    const result = retryAfterSeconds === undefined ? ended : { ...ended, retryAfterSeconds };
    this.options.log.result(received, result);
    return result;
  }
}

function settlementsOf(ends: ReadonlyMap<string, RunEnd>): readonly RunSettlement[] {
  const settlements: RunSettlement[] = [];
  for (const { settlement } of ends.values()) if (settlement) settlements.push(settlement);
  return settlements;
}

/** A retry should wait for the longest run in progress elsewhere. In seconds. */
function retryAfter(claims: ReadonlyMap<string, RunClaim>): number | undefined {
  let longestMs: number | undefined;
  for (const claim of claims.values()) {
    if (claim.state === 'running') longestMs = Math.max(longestMs ?? 0, claim.leaseEndsInMs);
  }
  return longestMs === undefined ? undefined : Math.ceil(longestMs / 1000);
}
