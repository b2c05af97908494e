import { ConsoleLogger, Inject, Injectable, Logger } from '@nestjs/common';
import { hasCode, type ScalekitWebhooksError } from '../errors/errors.js';
import { escapeLine } from '../errors/safe-text.js';
import type { RunSettlement } from '../inbox/inbox-store.js';
import { isAcknowledged, type Outcome } from '../respond/outcome.js';
import { MESSAGES } from './dispatch.messages.js';
import { type DispatchOptions, RESOLVED_OPTIONS } from './dispatch.providers.js';
import { type FailureReport, LogThrottle, reportFailure, toRunError } from './handler-failure.js';
import { formatOf } from './nest-internals.js';
import { type ObservedInbox, Observers, type RunFault, type ScalekitWebhooksObserver } from './observers.js';
import { type DispatchResult, deadOf, isOutage, type ReceivedEvent } from './received-event.js';

/** An attempt that failed. */
export interface FailedAttempt {
  readonly handlerId: string;
  readonly attempt: number;
  /** `dead` will not be attempted again, all others will. */
  readonly state: RunSettlement['state'];
  readonly thrown: unknown;
  /** The setting that limits its time, and the value, if its time was up. */
  readonly limit?: string | undefined;
}

/** What the run engine reports. */
export type RunLog = Pick<
  DeliveryLog,
  'result' | 'attemptFailed' | 'fault' | 'lateEnd' | 'queuedEnd' | 'staleRun' | 'observers'
>;

/** What workers of the inbox report. */
export type WorkLog = RunLog & Pick<DeliveryLog, 'workFault' | 'pause' | 'work'>;

/** What the log says of an event. */
export interface LoggedEvent {
  readonly event: { readonly id: string; readonly type: string };
}

/** Logs deliveries and runs, and tells observers: ids, types, outcomes and reasons, never a payload, a secret or a digest. */
@Injectable()
export class DeliveryLog {
  readonly #endpoint: string;
  readonly #statusCodes: DispatchOptions['statusCodes'];
  readonly #writer: LogWriter;
  readonly #throttle = new LogThrottle();
  /** Undefined as long as there are none, so that they cost nothing. */
  observers?: Observers | undefined = undefined;

  constructor(@Inject(RESOLVED_OPTIONS) { name, statusCodes, observers }: DispatchOptions) {
    this.#endpoint = name;
    this.#statusCodes = statusCodes;
    this.#writer = new LogWriter(`ScalekitWebhooks:${name}`);
    this.observe(observers);
  }

  /** Adds observers, each once. */
  observe(observers: readonly ScalekitWebhooksObserver[]): void {
    if (observers.length === 0) return;
    this.observers ??= new Observers((observer, method, error) => {
      const failed = MESSAGES.observerFailed(observer, method);
      const fields = { endpoint: this.#endpoint };
      this.#writeThrottled('warn', failed, failed, { fields, failure: reportFailure(error) });
    });
    this.observers.add(observers);
  }

  inbox(notice: ObservedInbox): void {
    this.observers?.tell('onInbox', notice);
  }

  /**
   * A delivery that reached the handlers.
   *
   * @param limits for each run that did not end in time, the setting that limits it, and its value
   */
  result(received: ReceivedEvent, result: DispatchResult, limits: ReadonlyMap<string, string>): void {
    const { event, isAwaited } = received;
    const { outcome, handlers } = result;
    const answered = isAwaited ? this.#statusCodes[outcome] : undefined;
    for (const [handlerId, limit] of limits) {
      const line = MESSAGES.overdue(handlerId, event.id, event.type, limit, answered);
      this.#writer.write('warn', line, { fields: this.#fieldsOf(event, { handlerId, state: 'overdue' }) });
    }
    const isUsual = isAcknowledged(outcome) && outcome !== 'dead';
    if (isUsual && !this.#writer.writesDebug) return;
    const line = MESSAGES.deliveryOutcome(event.id, event.type, outcome);
    const details = { fields: this.#fieldsOf(event, { outcome }) };
    if (outcome === 'dead')
      this.#writer.write('error', MESSAGES.deliveryDead(event.id, event.type, deadOf(handlers)), details);
    else if (isOutage(result)) this.#writeThrottled('warn', outcome, line, details);
    else this.#writer.write(isUsual ? 'debug' : 'warn', line, details);
  }

  /** A delivery that was rejected before any handler ran. */
  refusal(outcome: Outcome, reason: ScalekitWebhooksError): void {
    const line = MESSAGES.deliveryRefused(outcome, reason.code, reason.message);
    const fields = { endpoint: this.#endpoint, outcome, code: reason.code };
    this.#writer.write(outcome === 'misconfigured' ? 'error' : 'warn', line, { fields });
  }

  /** An attempt that failed: an error if it was the last one, and a warning if the run will be attempted again. */
  attemptFailed({ event }: LoggedEvent, { handlerId, attempt, state, thrown, limit }: FailedAttempt): void {
    const isDead = state === 'dead';
    const canBeReplayed = !hasCode(thrown, 'payload_erased');
    const line = limit
      ? MESSAGES.overdueInBackground(handlerId, event.id, event.type, limit, isDead)
      : MESSAGES.attemptFailed(handlerId, event.id, event.type, isDead, canBeReplayed);
    this.#writer.write(isDead ? 'error' : 'warn', line, {
      fields: this.#fieldsOf(event, { handlerId, attempt, state }),
      failure: reportFailure(thrown),
    });
  }

  /**
   * A filter of a handler threw a different error than the handler.
   *
   * @param isFinal whether the filter's error decides about the run
   * @param other the error that does not decide
   */
  filterThrew(event: ReceivedEvent['event'], method: string, isFinal: boolean, other: unknown): void {
    const line = MESSAGES.filterThrew(method, event.id, event.type, isFinal);
    this.#writer.write('warn', line, { fields: this.#fieldsOf(event, {}), failure: reportFailure(other) });
  }

  /** The inbox or the transport failed. */
  fault(fault: RunFault, { event }: LoggedEvent, error?: unknown): void {
    const reason = error === undefined ? undefined : toRunError(error);
    const cause = [fault, reason?.name, reason?.message].join();
    this.#writeThrottled('error', cause, MESSAGES.runFault(fault, event.id, event.type), {
      fields: this.#fieldsOf(event, { fault }),
      failure: error === undefined ? undefined : reportFailure(error),
    });
    const of = { endpoint: this.#endpoint, eventId: event.id, type: event.type };
    this.inbox({ ...of, state: 'fault', fault, ...(reason && { error: reason }) });
  }

  /** A run ended after the response to its delivery was sent. */
  lateEnd({ event }: ReceivedEvent, { handlerId, state }: RunSettlement): void {
    const line = MESSAGES.handlerEndedLate(handlerId, event.id, event.type, state);
    this.#writer.write('warn', line, { fields: this.#fieldsOf(event, { handlerId, state }) });
  }

  /** A run from a queue or from the inbox is done. */
  queuedEnd({ event }: LoggedEvent, handlerId: string, source: 'queue' | 'inbox'): void {
    const line = MESSAGES.queuedRunDone(handlerId, event.id, event.type, source);
    this.#writer.write('debug', line, { fields: this.#fieldsOf(event, { handlerId, state: 'done' }) });
  }

  /** A run is done although its handler did not run. */
  staleRun({ event }: LoggedEvent, handlerId: string): void {
    const line = MESSAGES.staleRun(handlerId, event.id, event.type);
    this.#writer.write('log', line, { fields: this.#fieldsOf(event, { handlerId, state: 'done' }) });
  }

  /** Handlers of a module that was loaded after the start. */
  handlersAdded(table: readonly string[]): void {
    for (const row of table) this.#writer.write('log', row);
  }

  /** A handler of a module that was loaded after the start cannot run. */
  handlerRefused(patterns: readonly string[], error: unknown): void {
    this.#writer.write('error', MESSAGES.handlerRefused(patterns), { failure: reportFailure(error) });
  }

  warn(text: string): void {
    this.#writer.write('warn', text);
  }

  error(text: string): void {
    this.#writer.write('error', text);
  }

  /** A worker cannot take runs. It tries again, so this line would come back once a second. */
  workFault(error: unknown): void {
    const endpoint = this.#endpoint;
    const reason = toRunError(error);
    this.#writeThrottled('error', ['work', reason.name, reason.message].join(), MESSAGES.workFault, {
      fields: { endpoint },
      failure: reportFailure(error),
    });
    this.inbox({ endpoint, state: 'fault', fault: 'take_failed', error: reason });
  }

  /** What an operator of the workers should know. */
  work(text: string): void {
    this.#writer.write('warn', text, { fields: { endpoint: this.#endpoint } });
  }

  /** The workers of the endpoint take no runs any more, or take them again. */
  pause(isPaused: boolean): void {
    const endpoint = this.#endpoint;
    this.work((isPaused ? MESSAGES.workPaused : MESSAGES.workResumed)(endpoint));
    this.inbox({ endpoint, state: isPaused ? 'paused' : 'resumed' });
  }

  /** The inbox has a problem that fails no delivery. */
  inboxWarning(warning: string, cause?: unknown): void {
    const fields = { endpoint: this.#endpoint };
    this.inbox({ ...fields, state: 'warning', text: warning });
    if (cause === undefined) this.#writer.write('warn', warning, { fields });
    else {
      this.#writer.write('warn', MESSAGES.withCause(warning), { fields, failure: reportFailure(cause) });
    }
  }

  /** The application is closing. These runs are still in progress; without any, the inbox or the queue has not responded. */
  shutdownWaits(runs: readonly string[]): void {
    this.#writer.write('warn', MESSAGES.shutdownWaits(runs), { fields: { endpoint: this.#endpoint } });
  }

  #fieldsOf({ id, type }: LoggedEvent['event'], others: LogFields): LogFields {
    return { endpoint: this.#endpoint, eventId: id, eventType: type, ...others };
  }

  /** For lines that each delivery and each job repeats while the inbox or the transport is down. */
  #writeThrottled(level: 'error' | 'warn', cause: string, text: string, details: LogDetails): void {
    this.#throttle.write(`${level},${cause}`, (note) =>
      this.#writer.write(level, text, { ...details, note }),
    );
  }
}

type LogLevel = 'error' | 'warn' | 'log' | 'debug';

/** What a line is about, for loggers that take objects: ids, types, outcomes and numbers. */
type LogFields = Readonly<Record<string, string | number | undefined>>;

/** What belongs to a line in addition to its text. */
interface LogDetails {
  readonly fields?: LogFields;
  /** Its summary completes the line, and its details follow. */
  readonly failure?: FailureReport | undefined;
  /** The end of the line. */
  readonly note?: string;
}

/**
 * Writes to the application's logger. A line stays one line, whatever its text contains. A line with fields is an object,
 * see {@link LogEntry}, but a text if the logger is Nest's own and does not write JSON.
 */
export class LogWriter {
  readonly #logger: Logger;

  constructor(context: string) {
    this.#logger = new Logger(context);
  }

  /** Whether lines at debug level go anywhere. `Logger.isLevelEnabled` of Nest 11 says no as long as no levels are set. */
  get writesDebug(): boolean {
    const target: unknown = this.#logger.localInstance;
    return target instanceof ConsoleLogger ? target.isLevelEnabled('debug') : target !== undefined;
  }

  /** Never throws: a logger that does must not change what happens to a delivery. */
  write(level: LogLevel, text: string, { fields, failure, note = '' }: LogDetails = {}): void {
    try {
      const message = escapeLine(text) + (failure ? `: ${failure.summary}` : '') + note;
      const entry = new LogEntry(message, fields, failure?.details);
      const format = formatOf(this.#logger);
      if (format === 'other') Object.assign(entry, { msg: message });
      this.#write(level, fields && format !== 'text' ? [entry, String(entry)] : [String(entry)]);
    } catch {
      // There is nowhere left to report it.
    }
  }

  /** Writes the first form of a line that the logger takes: some loggers throw for anything but a text. */
  #write(level: LogLevel, [form, ...others]: readonly (LogEntry | string)[]): void {
    try {
      this.#logger[level](form);
    } catch (error) {
      if (others.length === 0) throw error;
      this.#write(level, others);
    }
  }
}

/**
 * A line for loggers that take objects. winston reads its text from `message`, and pino from `msg`. A logger that only
 * writes text gets it from `toString()`.
 */
class LogEntry {
  constructor(
    readonly message: string,
    fields: LogFields | undefined,
    readonly stack?: string,
  ) {
    Object.assign(this, fields);
  }

  toString(): string {
    return this.stack ? `${this.message}\n${this.stack}` : this.message;
  }
}
