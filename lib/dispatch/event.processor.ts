import { randomUUID } from 'node:crypto';
import type { HandlerClaim, HandlerSettlement, InboxLease, InboxStore } from '../inbox/inbox-store.js';
import { concludeDelivery } from '../respond/conclude-delivery.js';
import { TIME_UP, waitAtMost } from './deadline.js';
import type { EventHandler } from './event-handler.js';
import type { EventTransport } from './event-transport.js';
import type { HandlerRegistry } from './handler.registry.js';
import { prepareRun, type TimedRun } from './handler.run.js';
import { toHandlerError } from './handler-failure.js';
import { type HandlerReport, reportClaim, reportRun } from './handler-report.js';
import type { DispatchResult, ReceivedEvent } from './received-event.js';

/** What can go wrong between an answer and the inbox or the transport. */
export type ProcessingFault = 'claim_failed' | 'start_failed' | 'settle_failed' | 'lease_lost';

/** What the processor works with. */
export interface EventProcessorOptions {
  readonly endpoint: string;
  readonly inbox: InboxStore;
  readonly transport: EventTransport;
  readonly handlerTimeout: number;
  readonly onFault: (fault: ProcessingFault, received: ReceivedEvent, error?: unknown) => void;
}

// A run may outlast its deadline for as long again before another process may take it over.
const LEASE_FACTOR = 2;

// What the inbox gets after the handlers' deadline, so that an answer still leaves within Scalekit's 10 s.
const INBOX_GRACE_MS = 500;

const UNAVAILABLE: DispatchResult = { outcome: 'unavailable', handlers: [] };

/** From a received event to its outcome: claim, run, settle. Two round trips to the inbox, however many handlers. */
export class EventProcessor {
  readonly #late = new Set<Promise<unknown>>();

  constructor(
    private readonly registry: HandlerRegistry,
    private readonly options: EventProcessorOptions,
  ) {}

  async process(received: ReceivedEvent): Promise<DispatchResult> {
    const handlers = this.registry.matching(received.event.type);
    if (handlers.length === 0) return { outcome: 'ignored', handlers: [] };
    const lease = { token: randomUUID(), durationMs: this.options.handlerTimeout * LEASE_FACTOR };

    const claims = await this.#claim(received, handlers, lease);
    if (!claims) return UNAVAILABLE;
    const runs = this.#prepare(received, handlers, claims);
    const settlements = await this.#run(received, runs, lease);
    if (!settlements || !(await this.#settle(received, settlements, lease))) return UNAVAILABLE;

    const reports = reportAll(handlers, claims, runs, settlements);
    return { outcome: concludeDelivery(reports), handlers: reports, ...retryAfter(claims) };
  }

  /** Resolves when the runs that outlived their deadlines have ended and are settled. */
  async drain(): Promise<void> {
    await Promise.allSettled(this.#late);
  }

  #prepare(
    received: ReceivedEvent,
    handlers: readonly EventHandler[],
    claims: ReadonlyMap<string, HandlerClaim>,
  ): readonly TimedRun[] {
    const context = { event: received.event, endpoint: this.options.endpoint, headers: received.headers };
    const timeLeft = this.#timeLeft(received);
    return handlers.flatMap((handler) => {
      const claim = claims.get(handler.id);
      if (claim?.state !== 'claimed') return [];
      return [prepareRun(handler, claim.attempt, received, context, timeLeft)];
    });
  }

  /** Resolves to how the runs ended that ended in time, or to undefined where the transport could not take them. */
  async #run(received: ReceivedEvent, runs: readonly TimedRun[], lease: InboxLease) {
    if (runs.length === 0) return [];
    const { endpoint, transport } = this.options;
    try {
      const completions = transport.start({
        endpoint,
        event: received.event,
        rawBody: received.rawBody,
        runs,
      });
      const inTime = runs.map(async ({ timeoutMs }, index) => {
        const completion =
          completions[index] ?? Promise.reject(new Error('the transport returned too few runs'));
        const settlement = await waitAtMost(completion, timeoutMs);
        if (settlement === TIME_UP) this.#settleLate(received, completion, lease);
        return settlement;
      });
      return (await Promise.all(inTime)).filter((settlement) => settlement !== TIME_UP);
    } catch (error) {
      this.options.onFault('start_failed', received, error);
      const failure = toHandlerError(error);
      const failed = runs.map(({ handlerId }) => ({ handlerId, state: 'failed' as const, error: failure }));
      await this.#settle(received, failed, lease);
      return undefined;
    }
  }

  #settleLate(received: ReceivedEvent, completion: Promise<HandlerSettlement>, lease: InboxLease): void {
    const late = completion
      .then((settlement) => this.options.inbox.settle(this.#keyOf(received), [settlement], lease))
      .then((written) => written.length === 0 && this.options.onFault('lease_lost', received))
      .catch((error) => this.options.onFault('settle_failed', received, error))
      .finally(() => this.#late.delete(late));
    this.#late.add(late);
  }

  #claim(received: ReceivedEvent, handlers: readonly EventHandler[], lease: InboxLease) {
    const { type, occurred_at: occurredAt } = received.event;
    const event = { ...this.#keyOf(received), type, occurredAt, payload: received.rawBody };
    const ids = handlers.map(({ id }) => id);
    return this.#reach(received, 'claim_failed', () => this.options.inbox.claim(event, ids, lease));
  }

  async #settle(received: ReceivedEvent, settlements: readonly HandlerSettlement[], lease: InboxLease) {
    if (settlements.length === 0) return true;
    const key = this.#keyOf(received);
    const written = await this.#reach(received, 'settle_failed', () =>
      this.options.inbox.settle(key, settlements, lease),
    );
    if (!written) return false;
    if (written.length < settlements.length) this.options.onFault('lease_lost', received);
    return true;
  }

  /** Asks the inbox, within the delivery's time; undefined where it fails or is too slow. */
  async #reach<T>(
    received: ReceivedEvent,
    fault: ProcessingFault,
    ask: () => Promise<T>,
  ): Promise<T | undefined> {
    try {
      const answer = await waitAtMost(ask(), this.#timeLeft(received) + INBOX_GRACE_MS);
      if (answer !== TIME_UP) return answer;
      this.options.onFault(fault, received, new Error('the inbox did not answer in time'));
    } catch (error) {
      this.options.onFault(fault, received, error);
    }
    return undefined;
  }

  #timeLeft({ receivedAt }: ReceivedEvent): number {
    return receivedAt.getTime() + this.options.handlerTimeout - Date.now();
  }

  #keyOf({ event }: ReceivedEvent) {
    return { endpoint: this.options.endpoint, eventId: event.id };
  }
}

function reportAll(
  handlers: readonly EventHandler[],
  claims: ReadonlyMap<string, HandlerClaim>,
  runs: readonly TimedRun[],
  settlements: readonly HandlerSettlement[],
): HandlerReport[] {
  const settled = new Map(settlements.map((settlement) => [settlement.handlerId, settlement]));
  const started = new Map(runs.map((run) => [run.handlerId, run]));
  return handlers.flatMap(({ id }) => {
    const run = started.get(id);
    if (run) return [reportRun(id, settled.get(id), run.isOverdue())];
    const claim = claims.get(id);
    return claim && claim.state !== 'claimed' ? [reportClaim(id, claim)] : [];
  });
}

/** A retry should wait for the longest run in progress elsewhere. */
function retryAfter(claims: ReadonlyMap<string, HandlerClaim>): Pick<DispatchResult, 'retryAfterSeconds'> {
  const waits = [...claims.values()].flatMap((claim) =>
    claim.state === 'running' ? [claim.leaseEndsInMs] : [],
  );
  return waits.length > 0 ? { retryAfterSeconds: Math.ceil(Math.max(...waits) / 1000) } : {};
}
