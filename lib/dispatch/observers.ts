import { isPromise } from 'node:util/types';
import type { EventIssue } from '../errors/errors.js';
import type { InboxRunCount, RunError, RunNote, RunState } from '../inbox/inbox-queries.js';
import type { RunSettlement } from '../inbox/inbox-store.js';
import type { Outcome } from '../respond/outcome.js';

/**
 * Sees what happens to deliveries, runs, recoveries and inboxes, for metrics, traces and alerts. Implement the methods that
 * you need, and pass the object to the option `observers`, or decorate a provider with `@ScalekitObserver()`.
 *
 * Nothing that an observer gets contains a payload. Nothing waits for what a method returns, and one that throws or rejects
 * changes nothing: the error is logged. The methods run on the path of deliveries, so they should return at once.
 */
export interface ScalekitWebhooksObserver {
  /** A delivery was answered, even if it was refused. */
  onDelivery?(delivery: ObservedDelivery): unknown;
  /** An attempt at a run has ended. If it ended after its delivery, it is reported then. */
  onRun?(run: ObservedRun): unknown;
  /** A recovery has ended, or could not begin. */
  onRecovery?(recovery: ObservedRecovery): unknown;
  /** Something happened to the inbox of an endpoint, or between it and a run. */
  onInbox?(inbox: ObservedInbox): unknown;
  /**
   * For tracers: an event is about to be passed to its handlers, or to be stored for them.
   *
   * @param work call it at once, and within what the handlers should run in, such as a context of OpenTelemetry. It never
   *   throws, and its promise never rejects. If it is not called, the event is handled anyway.
   */
  traceDelivery?(delivery: ObservedEvent, work: () => Promise<Outcome>): unknown;
  /**
   * For tracers: an attempt at a run is about to begin.
   *
   * @param work as for `traceDelivery`. It resolves when `onRun` is called.
   */
  traceRun?(run: ObservedAttempt, work: () => Promise<ObservedRun>): unknown;
  /**
   * For tracers: called within a delivery whose runs are stored for a worker. What it returns is stored with them, and
   * `traceRun` gets it as `carried`, in whichever process.
   */
  carry?(): Readonly<Record<string, string>> | undefined;
}

/** The event that an observer is told about. */
export interface ObservedEvent {
  /** The `name` of the endpoint. */
  readonly endpoint: string;
  readonly eventId: string;
  readonly type: string;
  /** When it happened in Scalekit, as text, exactly as the event states it. */
  readonly occurredAt: string;
}

/** A delivery that was answered. Properties of its event are undefined if it was refused before they were known. */
export interface ObservedDelivery extends Partial<ObservedEvent> {
  readonly endpoint: string;
  readonly outcome: Outcome;
  /** The status code of the response. */
  readonly status: number;
  /** From the arrival of the request until the response, in ms; 0 if it was refused before its body was read. */
  readonly durationMs: number;
  /** The fields that differ from the documented types, if `validation` is `'lenient'`. */
  readonly issues: readonly EventIssue[];
}

/** An attempt at a run. */
export interface ObservedAttempt extends ObservedEvent {
  readonly handlerId: string;
  /** The number of this attempt, from 1. */
  readonly attempt: number;
  /** What started it: the delivery itself, a worker of the inbox, or one of a queue. */
  readonly source: 'request' | 'inbox' | 'queue';
  /** What `carry` returned when the run was stored. */
  readonly carried?: Readonly<Record<string, string>> | undefined;
}

/** An attempt that has ended. */
export interface ObservedRun extends ObservedAttempt {
  /** `failed` will be attempted again, `dead` will not. */
  readonly state: Extract<RunState, 'done' | 'failed' | 'dead'>;
  readonly durationMs: number;
  /** Why it failed. */
  readonly error?: RunError;
  /** Why the handler did not run, if the run is done without it. */
  readonly note?: RunNote;
}

/** A recovery that has ended. */
export interface ObservedRecovery {
  readonly endpoint: string;
  /** `in_progress`: another process is recovering. */
  readonly outcome: 'done' | 'failed' | 'in_progress';
  readonly durationMs: number;
  readonly isDryRun: boolean;
  /** How many events it read, and what happened to them. Only if it is done. */
  readonly result?: Readonly<
    Record<'read' | 'handled' | 'duplicates' | 'ignored' | 'failed' | 'restarted', number> &
      Record<'from' | 'until', Date>
  >;
  /** Why it failed. */
  readonly error?: RunError;
}

/** What can go wrong between a run and the inbox or the transport. */
export type RunFault = 'claim_failed' | 'start_failed' | 'settle_failed' | 'lease_lost';

/**
 * What happened to an inbox:
 *
 * - `opened`: the application has started; `stats` counts the runs of the endpoint in these states
 * - `closed`: the application is closing
 * - `fault`: a claim, a start or a settlement failed, or a worker could not take runs (`take_failed`)
 * - `warning`: a problem that fails no delivery
 * - `paused`, `resumed`: this process has noticed it
 */
export type ObservedInbox = { readonly endpoint: string } & (
  | {
      readonly state: 'opened';
      /** This is faster if few runs are in these states, so leave out `done`. */
      readonly stats: (states: readonly RunState[]) => Promise<readonly InboxRunCount[]>;
    }
  | { readonly state: 'closed' | 'paused' | 'resumed' }
  | { readonly state: 'warning'; readonly text: string }
  | {
      readonly state: 'fault';
      readonly fault: RunFault | 'take_failed';
      readonly eventId?: string;
      readonly type?: string;
      readonly error?: RunError;
    }
);

/** Logs that an observer failed. It must not throw. */
type ReportFailure = (observer: string, method: string, error: unknown) => void;
type ObserverMethod = keyof ScalekitWebhooksObserver;
type Trace = 'traceDelivery' | 'traceRun';
type Notice = 'onDelivery' | 'onRun' | 'onRecovery' | 'onInbox';
type NoticeOf<Method extends Notice> = Parameters<NonNullable<ScalekitWebhooksObserver[Method]>>[0];

/** The parts of a parsed event that observers are told. */
interface EventParts {
  readonly event: { readonly id: string; readonly type: string; readonly occurred_at: string };
}

/** What observers are told of an event. */
export function observedEvent(endpoint: string, { event }: EventParts): ObservedEvent {
  return { endpoint, eventId: event.id, type: event.type, occurredAt: event.occurred_at };
}

/** The observers of one endpoint. Whatever they do, the delivery goes on. */
export class Observers {
  readonly #all = new Set<ScalekitWebhooksObserver>();
  readonly #tracers: Record<Trace, ScalekitWebhooksObserver[]> = { traceDelivery: [], traceRun: [] };
  readonly #reportFailure: ReportFailure;
  #opened?: ObservedInbox;

  constructor(reportFailure: ReportFailure) {
    this.#reportFailure = reportFailure;
  }

  /** Adds those that are new. */
  add(observers: readonly ScalekitWebhooksObserver[]): void {
    for (const observer of observers) {
      if (this.#all.has(observer)) continue;
      this.#all.add(observer);
      if (observer.traceDelivery) this.#tracers.traceDelivery.push(observer);
      if (observer.traceRun) this.#tracers.traceRun.push(observer);
      if (this.#opened) this.#tell(observer, 'onInbox', this.#opened);
    }
  }

  /** Tells all of them what happened. */
  tell<Method extends Notice>(method: Method, notice: NoticeOf<Method>): void {
    if ('stats' in notice) this.#opened = notice;
    Object.freeze(notice);
    for (const observer of this.#all) this.#tell(observer, method, notice);
  }

  /** What all of them want to have stored with the runs of the delivery. */
  carry(): Readonly<Record<string, string>> | undefined {
    const carried: Record<string, string> = {};
    for (const observer of this.#all) {
      this.#guarded(observer, 'carry', () => {
        for (const [name, value] of Object.entries(observer.carry?.() ?? {})) carried[name] = String(value);
      });
    }
    return Object.keys(carried).length > 0 ? carried : undefined;
  }

  /** Passes an event on within what tracers have opened for it. */
  traceDelivery<Result extends { readonly outcome: Outcome }>(
    delivery: ObservedEvent,
    handle: () => Promise<Result>,
  ): Promise<Result> {
    const what = Object.freeze(delivery);
    const [result, end] = this.within<Outcome, Result>('traceDelivery', what, handle);
    result.then(
      ({ outcome }) => end(outcome),
      () => end('failed'),
    );
    return result;
  }

  /** Begins to observe an attempt. */
  begin(
    endpoint: string,
    received: EventParts & Pick<ObservedAttempt, 'carried'>,
    run: Pick<ObservedAttempt, 'handlerId' | 'attempt' | 'source'>,
  ): AttemptObservation {
    const { carried } = received;
    return new AttemptObservation(this, { carried, ...observedEvent(endpoint, received), ...run });
  }

  /** Does the work within what tracers open for it. @returns its result, and what takes how it ended */
  within<End, T>(
    method: Trace,
    what: ObservedEvent,
    work: () => Promise<T>,
  ): [Promise<T>, (ended: End) => void] {
    const tracers = this.#tracers[method];
    if (tracers.length === 0) return [work(), () => {}];
    let end: (ended: End) => void = () => {};
    const ended = new Promise<End>((resolve) => {
      end = resolve;
    });
    return [this.#within(tracers, method, what, ended, work), end];
  }

  /** Runs the work within what each tracer has opened for it, whatever the tracers do. */
  #within<End, T>(
    [tracer, ...others]: readonly ScalekitWebhooksObserver[],
    method: Trace,
    what: ObservedEvent,
    ended: Promise<End>,
    work: () => Promise<T>,
  ): Promise<T> {
    // What the work throws must not be taken for a failure of the tracer.
    if (!tracer) return (async () => work())();
    let begun: Promise<T> | undefined;
    const begin = () => {
      begun ??= this.#within(others, method, what, ended, work);
      return ended;
    };
    this.#guarded(tracer, method, () => tracer[method]?.(what as never, begin as never));
    // The tracer may not have called its work, or may have thrown before.
    begin();
    return begun as unknown as Promise<T>;
  }

  #tell(observer: ScalekitWebhooksObserver, method: ObserverMethod, notice: object): void {
    this.#guarded(observer, method, () => observer[method]?.(notice as never, undefined as never));
  }

  /** What a method of an observer returns, or undefined if it throws. A promise that it returns may reject. */
  #guarded<T>(observer: ScalekitWebhooksObserver, method: ObserverMethod, call: () => T): T | undefined {
    const report = (error: unknown) => this.#reportFailure(observer.constructor?.name, method, error);
    try {
      const returned = call();
      if (isPromise(returned)) returned.catch(report);
      return returned;
    } catch (error) {
      report(error);
      return undefined;
    }
  }
}

/** An attempt, from its beginning until it is known what becomes of the run. */
export class AttemptObservation {
  readonly #observers: Observers;
  readonly #attempt: ObservedAttempt;
  readonly #startedAt = Date.now();
  #end: (run: ObservedRun) => void = () => {};
  /** Set if the run is done without its handler. */
  note?: RunNote;

  constructor(observers: Observers, attempt: ObservedAttempt) {
    this.#observers = observers;
    this.#attempt = Object.freeze(attempt);
  }

  /** Runs the handler within what tracers have opened for it. */
  within<T>(work: () => Promise<T>): Promise<T> {
    const [result, end] = this.#observers.within<ObservedRun, T>('traceRun', this.#attempt, work);
    this.#end = end;
    return result;
  }

  /** Tells what became of the run. A run that goes back to a queue with an error has failed. */
  end({ state, error }: RunSettlement): void {
    const run: ObservedRun = {
      state: state === 'queued' ? 'failed' : state,
      durationMs: Date.now() - this.#startedAt,
      ...this.#attempt,
      ...(error && { error: Object.freeze({ ...error }) }),
      ...(this.note && { note: this.note }),
    };
    this.#observers.tell('onRun', run);
    this.#end(run);
  }
}
