import { randomUUID } from 'node:crypto';
import type { EventIssue } from '../errors/errors.js';
import type { ScalekitEvent } from '../events/scalekit-event.types.js';
import type { RunError } from '../inbox/inbox-queries.js';
import type { RunClaim, RunSettlement } from '../inbox/inbox-store.js';
import { type ParsedEvent, parseReceivedEvent, type ValidationMode } from '../parse/parse-event.js';
import type { Outcome } from '../respond/outcome.js';
import type { ScalekitDelivery } from './scalekit-delivery.js';

/** How an event arrived. By default, it arrives now, without headers, under a new delivery id. */
export interface Arrival {
  readonly deliveryId?: string;
  readonly receivedAt?: Date;
  readonly rawBody: Buffer;
  readonly headers?: ScalekitDelivery['headers'];
  /** What observers stored with the event. */
  readonly carried?: Readonly<Record<string, string>> | undefined;
  /** Whether Scalekit waits for the response. */
  readonly isAwaited?: boolean;
  /** Whether the body was read from the inbox. */
  readonly isStored?: boolean;
}

/** A parsed event and how it arrived: what all its handlers share. */
export class ReceivedEvent {
  readonly event: ScalekitEvent<'*'>;
  readonly issues: readonly EventIssue[];
  readonly deliveryId: string;
  readonly receivedAt: Date;
  readonly rawBody: Buffer;
  readonly headers: ScalekitDelivery['headers'];
  readonly carried: Arrival['carried'];
  readonly isAwaited: boolean;
  readonly isStored: boolean;

  constructor(
    { event, issues }: ParsedEvent,
    {
      deliveryId = randomUUID(),
      receivedAt = new Date(),
      rawBody,
      headers = {},
      carried,
      isAwaited = false,
      isStored = false,
    }: Arrival,
  ) {
    this.event = event;
    this.issues = issues;
    this.deliveryId = deliveryId;
    this.receivedAt = receivedAt;
    this.rawBody = rawBody;
    this.headers = headers;
    this.carried = carried;
    this.isAwaited = isAwaited;
    this.isStored = isStored;
  }
}

/**
 * An event from the bytes of its body.
 *
 * @throws InvalidEventError when they are not an event
 */
export function toReceived(
  payload: Uint8Array,
  arrival: Omit<Arrival, 'rawBody'>,
  validation: ValidationMode,
): ReceivedEvent {
  const rawBody = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
  return new ReceivedEvent(parseReceivedEvent(rawBody, validation), { ...arrival, rawBody });
}

// Headers that grant access to whoever has them. Stored headers outlive the request.
const CREDENTIAL = /authorization|cookie|signature|token|secret|api-?key|jwt/i;

/** The headers that may be stored. */
export function withoutCredentials(headers: ReceivedEvent['headers']): ReceivedEvent['headers'] {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !CREDENTIAL.test(name)));
}

/**
 * What happened to one handler in one delivery:
 *
 * - `done`: it ran and succeeded
 * - `queued`: its run is safely stored in a queue, by this delivery or an earlier one
 * - `failed`: it ran and threw; a retry runs it again
 * - `refused`: it ran and failed for good; its run is dead
 * - `overdue`: it was still running when its deadline passed
 * - `not_started`: the transport could not take it, or the inbox did not respond; a retry starts it
 * - `running`: another process runs it, or an earlier delivery's run is still in progress
 * - `already_done`, `already_dead`: an earlier delivery settled it, so it did not run
 */
export type HandlerReportState =
  | 'done'
  | 'queued'
  | 'failed'
  | 'refused'
  | 'overdue'
  | 'not_started'
  | 'running'
  | 'already_done'
  | 'already_dead';

/** One handler's part of a {@link DispatchResult}. */
export interface HandlerReport {
  readonly handlerId: string;
  readonly state: HandlerReportState;
  /** The name and message of the error that the handler threw. */
  readonly error?: RunError;
}

/** What happened to an event. */
export interface DispatchResult {
  readonly outcome: Extract<
    Outcome,
    'processed' | 'accepted' | 'duplicate' | 'dead' | 'ignored' | 'unprocessable' | 'failed' | 'unavailable'
  >;
  readonly handlers: readonly HandlerReport[];
  /** How long a retry should wait for a run that is in progress elsewhere, in seconds. */
  readonly retryAfterSeconds?: number;
}

/** The state in a report, by the claim of a run that did not start here. */
const STATE_OF_CLAIM = {
  done: 'already_done',
  dead: 'already_dead',
  queued: 'queued',
  running: 'running',
  claimed: 'not_started',
} as const satisfies Record<RunClaim['state'], HandlerReportState>;

/** The state in a report, by the settlement of a run that started here. */
const STATE_OF_SETTLEMENT = {
  done: 'done',
  queued: 'queued',
  failed: 'failed',
  dead: 'refused',
} as const satisfies Record<RunSettlement['state'], HandlerReportState>;

// The first line that contains a reported state applies. States that need a retry come first, because an acknowledged
// event is never sent again.
const OUTCOMES: readonly (readonly [DispatchResult['outcome'], ...HandlerReportState[]])[] = [
  ['failed', 'failed'],
  ['unavailable', 'running', 'overdue', 'not_started'],
  ['unprocessable', 'refused'],
  ['accepted', 'queued'],
  ['processed', 'done'],
  ['dead', 'already_dead'],
  ['duplicate', 'already_done'],
];

/** The report of a handler that ran. */
export function reportRun(handlerId: string, settlement: RunSettlement, overdue: boolean): HandlerReport {
  const state = overdue && settlement.state === 'failed' ? 'overdue' : STATE_OF_SETTLEMENT[settlement.state];
  return settlement.error ? { handlerId, state, error: settlement.error } : { handlerId, state };
}

/** The report of a handler that did not run. */
export function reportClaim(handlerId: string, claim: RunClaim | undefined): HandlerReport {
  return { handlerId, state: STATE_OF_CLAIM[claim?.state ?? 'claimed'] };
}

/** The outcome of a delivery, from the reports of all its handlers. */
export function aggregateOutcome(handlers: readonly HandlerReport[]): DispatchResult['outcome'] {
  const found = OUTCOMES.find(([, ...states]) => handlers.some(({ state }) => states.includes(state)));
  return found?.[0] ?? 'ignored';
}

/** Whether a delivery failed because the inbox or the transport was down, and not because of its own runs. */
export function isOutage({ outcome, handlers }: DispatchResult): boolean {
  return (
    outcome === 'unavailable' && !handlers.some(({ state }) => state === 'running' || state === 'overdue')
  );
}

/** The handlers whose runs are dead since an earlier delivery. */
export function deadOf(handlers: DispatchResult['handlers']): readonly string[] {
  return handlers.filter(({ state }) => state === 'already_dead').map(({ handlerId }) => handlerId);
}

/** A retry should wait for the longest run that is in progress elsewhere. */
export function retryAfter(claims: ReadonlyMap<string, RunClaim>): Pick<DispatchResult, 'retryAfterSeconds'> {
  const waits = [...claims.values()].flatMap((claim) =>
    claim.state === 'running' ? claim.leaseEndsInMs : [],
  );
  return waits.length === 0 ? {} : { retryAfterSeconds: Math.ceil(Math.max(...waits) / 1000) };
}
