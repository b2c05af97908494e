import {
  type EventTransport,
  type InboxStore,
  MemoryInboxStore,
  type RunSettlement,
} from 'nestjs-scalekit-webhooks';
import { createScalekitEvent } from 'nestjs-scalekit-webhooks/testing';
import type { FailedAttempt, LoggedEvent, RunLog } from '../../../lib/dispatch/delivery.log.js';
import { type EventHandler, HandlerRegistry } from '../../../lib/dispatch/handler.registry.js';
import type { RunFault } from '../../../lib/dispatch/observers.js';
import { type Arrival, ReceivedEvent } from '../../../lib/dispatch/received-event.js';
import { InlineTransport, RunEngine } from '../../../lib/dispatch/run.engine.js';
import type { ParsedEvent } from '../../../lib/parse/parse-event.js';

export const HANDLER_TIMEOUT_MS = 9000;
export const LEASE_MS = 2 * HANDLER_TIMEOUT_MS;
export const GRACE_MS = 500;

/** Records what an engine reports besides its results. */
export class RecordedLog implements RunLog {
  readonly faults: string[] = [];
  readonly lateEnds: RunSettlement[] = [];
  readonly failures: FailedAttempt[] = [];
  /** The handlers that did not run. */
  readonly stale: string[] = [];
  /** The limits that runs have exceeded. */
  readonly limits: string[] = [];

  result(...[, , limits]: Parameters<RunLog['result']>): void {
    this.limits.push(...limits.values());
  }

  attemptFailed(_received: ReceivedEvent, failure: FailedAttempt): void {
    this.failures.push(failure);
  }

  fault(fault: RunFault, _received: ReceivedEvent, error?: unknown): void {
    this.faults.push(error instanceof Error ? `${fault}: ${error.message}` : fault);
  }

  queuedEnd(): void {}

  staleRun(_received: LoggedEvent, handlerId: string): void {
    this.stale.push(handlerId);
  }

  lateEnd(_received: ReceivedEvent, settlement: RunSettlement): void {
    this.lateEnds.push(settlement);
  }
}

/** An engine for `user.created` with a memory inbox, and what tests inspect. */
export function setUp(
  handlers: Readonly<Record<string, EventHandler['run'] | Omit<EventHandler, 'id' | 'patterns'>>>,
  options: { inbox?: InboxStore; transport?: EventTransport } = {},
) {
  const log = new RecordedLog();
  const inbox = options.inbox ?? new MemoryInboxStore();
  const registry = new HandlerRegistry(
    Object.entries(handlers).map(([id, handler]) => ({
      id,
      patterns: ['user.created'],
      ...(typeof handler === 'function' ? { run: handler } : handler),
    })),
  );
  const engine = new RunEngine(registry, {
    endpoint: 'default',
    inbox,
    transport: options.transport ?? new InlineTransport(),
    handlerTimeoutMs: HANDLER_TIMEOUT_MS,
    log,
  });
  return { engine, inbox, log };
}

/** A delivery that arrives now. The event is always the same. */
export function aDelivery(changes: Partial<ParsedEvent & Arrival> = {}): ReceivedEvent {
  const event = createScalekitEvent('user.created', {}, { seed: 1 });
  const rawBody = Buffer.from(JSON.stringify(event));
  return new ReceivedEvent({ event, issues: [], ...changes }, { deliveryId: 'msg_1', rawBody, ...changes });
}
