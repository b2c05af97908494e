import { randomUUID } from 'node:crypto';
import { ScalekitWebhooksConfigurationError } from '../errors/errors.js';
import type { InboxKey, InboxLease, InboxStore } from '../inbox/inbox-store.js';
import { MESSAGES } from './dispatch.messages.js';
import type { HandlerRun } from './event-transport.js';
import type { EventHandler, ScalekitEventContext } from './handler.registry.js';
import type { ReceivedEvent } from './received-event.js';
import { idempotencyKey, ScalekitDelivery } from './scalekit-delivery.js';

import { RunDeadline } from './timeout.js';

// A run may outlast its deadline for as long again before another process may take it over.
const LEASE_FACTOR = 2;

/** How long the lease of runs that may take `timeoutMs` holds, in ms. */
export function leaseMsFor(timeoutMs: number): number {
  return timeoutMs * LEASE_FACTOR;
}

let processToken: string | undefined;
let leases = 0;

/** Unique among all processes: random bytes for each lease would take longer than all else about it. */
function nextToken(): string {
  processToken ??= randomUUID();
  leases += 1;
  return `${processToken}-${leases}`;
}

/** The lease of runs that may take `timeoutMs`. */
export class RunLease implements InboxLease {
  readonly token = nextToken();
  readonly durationMs: number;

  constructor(
    timeoutMs: number,
    readonly takesOver?: string,
  ) {
    this.durationMs = leaseMsFor(timeoutMs);
  }
}

/** What a run of a handler needs. */
export interface RunOptions {
  readonly handler: EventHandler;
  readonly attempt: number;
  readonly received: ReceivedEvent;
  readonly context: ScalekitEventContext;
  /** How long it may take, in ms; the handler's own `timeoutMs` may be shorter. */
  readonly timeoutMs: number;
  readonly inbox: InboxStore;
  readonly lease: InboxLease;
}

/**
 * One claimed run of one handler, with its own deadline. What it needs is private: a transport may log or store what it
 * gets.
 */
export class ClaimedRun implements HandlerRun {
  readonly handlerId: string;
  readonly attempt: number;
  readonly attempts?: number;
  readonly backoff?: HandlerRun['backoff'];
  readonly timeoutMs: number;
  readonly #deadline = new RunDeadline();
  readonly #delivery: RunDelivery;
  readonly #handler: EventHandler;
  readonly #context: ScalekitEventContext;

  constructor(options: RunOptions) {
    const { handler, attempt, context, timeoutMs } = options;
    this.handlerId = handler.id;
    this.attempt = attempt;
    if (handler.attempts !== undefined) this.attempts = handler.attempts;
    if (handler.backoff !== undefined) this.backoff = handler.backoff;
    this.timeoutMs = Math.max(0, Math.min(handler.timeoutMs ?? timeoutMs, timeoutMs));
    this.#delivery = new RunDelivery(options, this.#deadline);
    this.#handler = handler;
    this.#context = context;
  }

  /** Whether the deadline passed while it ran. */
  get isOverdue(): boolean {
    return this.#deadline.isOver;
  }

  // Not a method, so that a transport may take it out of the run.
  readonly execute = async (): Promise<void> => {
    this.#deadline.start(this.timeoutMs);
    try {
      await this.#handler.run(this.#context.event, this.#delivery, this.#context);
    } finally {
      this.#deadline.stop();
    }
  };
}

/** What one run's handler is given. A class, since V8 would make a shape of its own for each object with accessors. */
export class RunDelivery implements ScalekitDelivery {
  readonly id: string;
  readonly endpoint: string;
  readonly receivedAt: Date;
  readonly attempt: number;
  readonly rawBody: Buffer;
  readonly headers: ScalekitDelivery['headers'];
  readonly issues: ScalekitDelivery['issues'];
  readonly #eventId: string;
  readonly #handlerId: string;
  readonly #inbox: InboxStore;
  readonly #lease: InboxLease;
  readonly #deadline: RunDeadline;

  constructor({ received, context, attempt, handler, inbox, lease }: RunOptions, deadline: RunDeadline) {
    this.id = received.deliveryId;
    this.endpoint = context.endpoint;
    this.receivedAt = received.receivedAt;
    this.attempt = attempt;
    this.rawBody = received.rawBody;
    this.headers = received.headers;
    this.issues = received.issues;
    this.#eventId = received.event.id;
    this.#handlerId = handler.id;
    this.#inbox = inbox;
    this.#lease = lease;
    this.#deadline = deadline;
  }

  get signal(): AbortSignal {
    return this.#deadline.signal;
  }

  get idempotencyKey(): string {
    return idempotencyKey(this.endpoint, this.#eventId, this.#handlerId);
  }

  // Not a method, so that a handler may take it out of the delivery.
  readonly complete = async (transaction: unknown): Promise<void> => {
    if (!this.#inbox.complete) {
      throw new ScalekitWebhooksConfigurationError('inbox', MESSAGES.inboxWithoutTransactions);
    }
    const key: InboxKey = { endpoint: this.endpoint, eventId: this.#eventId };
    await this.#inbox.complete(transaction, key, this.#handlerId, this.#lease);
  };
}
