import type { HandlerClaim, HandlerSettlement, InboxLease } from '../inbox/inbox-store.js';
import { concludeDelivery } from '../respond/conclude-delivery.js';
import { MESSAGES } from '../scalekit-webhooks.messages.js';
import { TIME_UP, waitAtMost } from './deadline.js';
import { DeliveryLedger, type DeliveryLedgerOptions, failedSettlement } from './delivery.ledger.js';
import { type EventHandler, ScalekitEventContext } from './event-handler.js';
import type { EventTransport } from './event-transport.js';
import type { HandlerRegistry } from './handler.registry.js';
import { ClaimedRun } from './handler.run.js';
import { type HandlerReport, reportClaim, reportRun } from './handler-report.js';
import type { DispatchResult, ReceivedEvent } from './received-event.js';
import { leaseMsFor, RunLease } from './run-lease.js';

/** What the processor works with. */
export interface EventProcessorOptions extends DeliveryLedgerOptions {
  readonly transport: EventTransport;
}

/** How a run ended as far as its delivery waited: without a settlement it goes on. */
interface RunEnd {
  readonly report: HandlerReport;
  readonly settlement?: HandlerSettlement;
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
    return leaseMsFor(this.options.handlerTimeout);
  }

  /** @param only the ids of the handlers to run, instead of all that take the event */
  async process(received: ReceivedEvent, only?: readonly string[]): Promise<DispatchResult> {
    const matching = this.registry.matching(received.event.type);
    const handlers = only ? matching.filter(({ id }) => only.includes(id)) : matching;
    if (handlers.length === 0) return { outcome: 'ignored', handlers: [] };
    const lease = new RunLease(this.options.handlerTimeout);
    const handlerIds = handlers.map(({ id }) => id);

    const claims = await this.#ledger.claim(received, handlerIds, lease);
    if (!claims) return { outcome: 'unavailable', handlers: [] };
    const ends = await this.#run(received, this.#prepare(received, handlers, claims, lease), lease);
    const settlements = ends.flatMap(({ settlement }) => settlement ?? []);
    const settled = await this.#ledger.settle(received, settlements, lease);

    const reports = reportAll(handlerIds, claims, ends);
    const outcome = settled ? concludeDelivery(reports) : 'unavailable';
    return { outcome, handlers: reports, ...retryAfter(claims) };
  }

  /** Resolves when all that outlived its delivery has ended. */
  drain(): Promise<void> {
    return this.#ledger.drain();
  }

  #prepare(
    received: ReceivedEvent,
    handlers: readonly EventHandler[],
    claims: ReadonlyMap<string, HandlerClaim>,
    lease: InboxLease,
  ): readonly ClaimedRun[] {
    const { endpoint, inbox } = this.options;
    const context = new ScalekitEventContext(received, endpoint);
    const timeoutMs = this.#ledger.timeLeft(received);
    return handlers.flatMap((handler) => {
      const claim = claims.get(handler.id);
      if (claim?.state !== 'claimed') return [];
      const { attempt } = claim;
      return [new ClaimedRun({ handler, attempt, received, context, timeoutMs, inbox, lease })];
    });
  }

  async #run(
    received: ReceivedEvent,
    runs: readonly ClaimedRun[],
    lease: InboxLease,
  ): Promise<readonly RunEnd[]> {
    if (runs.length === 0) return [];
    const { spansProcesses } = this.options.transport;
    const completions = this.#start(received, runs, lease);
    return Promise.all(
      runs.map(async (run, index) => {
        const ending = this.#ending(received, run, completions[index]);
        const end = await waitAtMost(
          ending,
          spansProcesses ? this.#ledger.timeLeft(received) : run.timeoutMs,
        );
        if (end !== TIME_UP) return end;
        const settlement = ending.then((lateEnd) => lateEnd.settlement);
        this.#ledger.settleLate(received, settlement, lease);
        return { report: { handlerId: run.handlerId, state: 'overdue' } };
      }),
    );
  }

  #start(
    { event, rawBody, deliveryId, receivedAt }: ReceivedEvent,
    runs: readonly ClaimedRun[],
    { token: leaseToken }: InboxLease,
  ): readonly Promise<HandlerSettlement>[] {
    const { endpoint, transport } = this.options;
    try {
      return transport.start({ endpoint, event, rawBody, deliveryId, receivedAt, leaseToken, runs });
    } catch (error) {
      return runs.map(() => Promise.reject(error));
    }
  }

  /** Never rejects: a run that the transport could not take is released by its settlement, for a retry to start. */
  async #ending(
    received: ReceivedEvent,
    run: ClaimedRun,
    completion: Promise<HandlerSettlement> | undefined,
  ): Promise<Required<RunEnd>> {
    const { handlerId } = run;
    try {
      if (!completion) throw new Error(MESSAGES.transportReturnedTooFew);
      const settlement = await completion;
      return { settlement, report: reportRun(handlerId, settlement, run.isOverdue) };
    } catch (error) {
      this.options.log.fault('start_failed', received, error);
      return {
        settlement: failedSettlement(handlerId, error),
        report: { handlerId, state: 'not_started' },
      };
    }
  }
}

function reportAll(
  handlerIds: readonly string[],
  claims: ReadonlyMap<string, HandlerClaim>,
  ends: readonly RunEnd[],
): HandlerReport[] {
  const ran = new Map(ends.map(({ report }) => [report.handlerId, report]));
  return handlerIds.map((id) => ran.get(id) ?? reportClaim(id, claims.get(id)));
}

/** A retry should wait for the longest run in progress elsewhere. */
function retryAfter(claims: ReadonlyMap<string, HandlerClaim>): Pick<DispatchResult, 'retryAfterSeconds'> {
  const waits = [...claims.values()].flatMap((claim) =>
    claim.state === 'running' ? [claim.leaseEndsInMs] : [],
  );
  return waits.length > 0 ? { retryAfterSeconds: Math.ceil(Math.max(...waits) / 1000) } : {};
}
