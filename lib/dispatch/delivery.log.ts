import { Inject, Injectable, Logger } from '@nestjs/common';
import type { ScalekitWebhooksError } from '../errors/errors.js';
import type { RunError, RunSettlement } from '../inbox/inbox-store.js';
import { isAcknowledged, type Outcome } from '../respond/outcome.js';
import { MESSAGES } from './dispatch.messages.js';
import { type DispatchOptions, RESOLVED_OPTIONS } from './dispatch.options.js';
import { toRunError } from './handler-failure.js';
import { LogThrottle } from './log-throttle.js';
import type { DispatchResult, ReceivedEvent } from './received-event.js';

/** What can go wrong between a run and the inbox or the transport. */
export type RunFault = 'claim_failed' | 'start_failed' | 'settle_failed' | 'lease_lost';

/** What the run engine reports. */
export type RunLog = Pick<DeliveryLog, 'result' | 'fault' | 'lateEnd' | 'queuedEnd'>;

/** What workers of the inbox report. */
export type WorkLog = RunLog & Pick<DeliveryLog, 'workFault' | 'work'>;

/** What the log says of an event. */
export interface LoggedEvent {
  readonly event: { readonly id: string; readonly type: string };
}

/** Logs deliveries and runs: ids, types, outcomes and reasons, but never a payload, a secret or a digest. */
@Injectable()
export class DeliveryLog {
  readonly #logger: Logger;
  readonly #throttle = new LogThrottle();

  constructor(@Inject(RESOLVED_OPTIONS) { name }: DispatchOptions) {
    this.#logger = new Logger(`ScalekitWebhooks:${name}`);
  }

  /** A delivery that reached the handlers. */
  result({ event }: ReceivedEvent, result: DispatchResult): void {
    const { outcome, handlers } = result;
    for (const { handlerId, error } of handlers) {
      if (error) this.#handlerFailed(handlerId, event, error);
    }
    const line = () => MESSAGES.deliveryOutcome(event.id, event.type, outcome);
    if (outcome === 'dead')
      this.#write('warn', MESSAGES.deliveryDead(event.id, event.type, deadOf(handlers)));
    else if (isOutage(result)) this.#writeThrottled('warn', outcome, line());
    else if (!isAcknowledged(outcome)) this.#write('warn', line());
    else if (Logger.isLevelEnabled('debug')) this.#write('debug', line());
  }

  /** A delivery that was rejected before any handler ran. */
  refusal(outcome: Outcome, reason: ScalekitWebhooksError): void {
    const line = MESSAGES.deliveryRefused(outcome, reason.code, reason.message);
    if (outcome === 'misconfigured') this.#write('error', line);
    else this.#write('warn', line);
  }

  /** The inbox or the transport failed. */
  fault(fault: RunFault, { event }: LoggedEvent, error?: unknown): void {
    const reason = error === undefined ? undefined : toRunError(error);
    const cause = [fault, reason?.name, reason?.message].join();
    this.#writeThrottled('error', cause, MESSAGES.runFault(fault, event.id, event.type, reason));
  }

  /** A run ended after the response to its delivery was sent. */
  lateEnd({ event }: ReceivedEvent, { handlerId, state, error }: RunSettlement): void {
    this.#write('warn', MESSAGES.handlerEndedLate(handlerId, event.id, event.type, state));
    if (error) this.#handlerFailed(handlerId, event, error);
  }

  /** An attempt at a run from a queue or from the inbox ended. */
  queuedEnd(
    { event }: LoggedEvent,
    { handlerId, state, error }: RunSettlement,
    source: 'queue' | 'inbox' = 'queue',
  ): void {
    if (error) this.#handlerFailed(handlerId, event, error);
    const end = state === 'queued' || state === 'failed' ? 'retried later' : state;
    const line = MESSAGES.queuedRunEnded(handlerId, event.id, event.type, source, end);
    if (error) this.#write('warn', line);
    else this.#write('debug', line);
  }

  /** A worker cannot take runs. It tries again, so this line would come back once a second. */
  workFault(error: unknown): void {
    const reason = toRunError(error);
    const cause = ['work', reason.name, reason.message].join();
    this.#writeThrottled('error', cause, MESSAGES.workFault(reason));
  }

  /** What an operator of the workers should know. */
  work(text: string): void {
    this.#write('warn', text);
  }

  /** The inbox has a problem that fails no delivery. */
  inboxWarning(warning: string, cause?: unknown): void {
    const reason = cause === undefined ? undefined : toRunError(cause);
    this.#write('warn', MESSAGES.inboxWarning(warning, reason));
  }

  /** The application is closing. These runs are still in progress; without any, the inbox or the queue has not responded. */
  shutdownWaits(runs: readonly string[]): void {
    this.#write('warn', MESSAGES.shutdownWaits(runs));
  }

  #handlerFailed(handlerId: string, { id, type }: LoggedEvent['event'], error: RunError): void {
    this.#write('error', MESSAGES.handlerFailed(handlerId, id, type, error));
  }

  /** For lines that each delivery and each job repeats while the inbox or the transport is down. */
  #writeThrottled(level: 'error' | 'warn', cause: string, text: string): void {
    this.#throttle.write(`${level},${cause}`, text, (line) => this.#write(level, line));
  }

  /** A logger that throws must not change what happens to a delivery. */
  #write(level: 'error' | 'warn' | 'debug', text: string): void {
    try {
      this.#logger[level](text);
    } catch {
      // There is nowhere left to report it.
    }
  }
}

/** Whether a delivery failed because the inbox or the transport was down, and not because of its own runs. */
function isOutage({ outcome, handlers }: DispatchResult): boolean {
  return (
    outcome === 'unavailable' && !handlers.some(({ state }) => state === 'running' || state === 'overdue')
  );
}

function deadOf(handlers: DispatchResult['handlers']): readonly string[] {
  return handlers.filter(({ state }) => state === 'already_dead').map(({ handlerId }) => handlerId);
}
