import {
  type Attributes,
  type BatchObservableResult,
  type Context,
  context,
  type Meter,
  type MeterProvider,
  metrics,
  type Span,
  SpanKind,
  type SpanOptions,
  SpanStatusCode,
  TraceFlags,
  type TracerProvider,
  trace,
} from '@opentelemetry/api';
import type {
  ObservedAttempt,
  ObservedDelivery,
  ObservedEvent,
  ObservedInbox,
  ObservedRecovery,
  ObservedRun,
  ScalekitWebhooksObserver,
} from '../dispatch/observers.js';
import { TIMED_OUT, waitAtMost } from '../dispatch/timeout.js';
import {
  checkOptions,
  type OptionChecks,
  objectWith,
  optional,
  requireDurationMs,
} from '../errors/settings.js';
import { SCALEKIT_EVENT_TYPES } from '../events/catalog.js';
import { type InboxRunCount, OPEN_STATES } from '../inbox/inbox-queries.js';
import type { Outcome } from '../respond/outcome.js';

/** Options of an {@link OpenTelemetryObserver}. All are optional. */
export interface OpenTelemetryObserverOptions {
  /**
   * Where spans go.
   * @default the global provider
   */
  tracerProvider?: TracerProvider;
  /**
   * Where metrics go.
   * @default the global provider, as it is when the application has started
   */
  meterProvider?: MeterProvider;
  /**
   * How long the counts of runs are reused before they are read from the inbox again, in ms.
   * @default 15000
   */
  inboxIntervalMs?: number;
}

const CHECKS: OptionChecks<OpenTelemetryObserverOptions> = {
  tracerProvider: optional(objectWith('getTracer')),
  meterProvider: optional(objectWith('getMeter')),
  inboxIntervalMs: optional(requireDurationMs),
};

type OpenedInbox = Extract<ObservedInbox, { state: 'opened' }>;

const NAME = 'nestjs-scalekit-webhooks';
const INBOX_TIMEOUT_MS = 5000;
const KNOWN_TYPES: ReadonlySet<string> = new Set(SCALEKIT_EVENT_TYPES);
const FAILURES: ReadonlySet<Outcome> = new Set(['failed', 'unavailable', 'unprocessable', 'misconfigured']);
const TRACEPARENT = /^00-([\da-f]{32})-([\da-f]{16})-0([01])$/;
// In seconds: handlers take ms to a minute, and events arrive within seconds, or after hours of retries.
const DURATIONS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
const LAGS = [0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 4 * 3600, 24 * 3600];

/**
 * Reports deliveries and runs to OpenTelemetry: metrics, and a span for each delivery and run. A request for a replay has no
 * span of its own. A run that a worker executes, even in another process, belongs to the trace of the delivery that stored
 * it. Needs `@opentelemetry/api`, and no auto-instrumentation.
 *
 * @example ScalekitWebhooksModule.forRoot({ observers: [new OpenTelemetryObserver()] })
 */
export class OpenTelemetryObserver implements ScalekitWebhooksObserver {
  readonly #options: OpenTelemetryObserverOptions;
  readonly #inboxes = new Map<string, InboxGauge>();
  /** Made when it is first needed: the global meter provider may be set after this object is made. */
  #known?: Instruments;

  /** @throws ScalekitWebhooksConfigurationError when an option is unknown or invalid */
  constructor(options: OpenTelemetryObserverOptions = {}) {
    this.#options = checkOptions(options, CHECKS);
  }

  onDelivery(delivery: ObservedDelivery): void {
    const { outcome, status, durationMs, type, issues } = delivery;
    const labels = typeOf(delivery);
    const { deliveryDuration, unknownTypes, driftedFields } = this.#instruments;
    deliveryDuration.record(
      durationMs / 1000,
      destinationOf(delivery, labels, { 'scalekit.delivery.outcome': outcome }),
    );
    if (type !== undefined && !KNOWN_TYPES.has(type)) {
      unknownTypes.add(1, destinationOf(delivery, { 'scalekit.event.type': type }));
    }
    for (const { path, rule } of issues) {
      // An index would make a series for each item of a list.
      driftedFields.add(1, destinationOf(delivery, labels, { field: path.replace(/\d+/g, '*'), rule }));
    }
    if (type !== undefined && outcome !== 'wrong_environment') return;
    // It was refused before handlers could be traced.
    const span = this.#startSpan('deliver', delivery, { startTime: Date.now() - durationMs });
    span.setAttribute('http.response.status_code', status);
    endDelivery(span, outcome);
  }

  onRun(run: ObservedRun): void {
    const { state, handlerId, durationMs, occurredAt, error } = run;
    const attributes = destinationOf(run, typeOf(run), {
      'messaging.operation.name': 'run',
      'messaging.consumer.group.name': handlerId,
      'scalekit.run.state': state,
      ...(error && { 'error.type': error.name }),
    });
    const { runDuration, lag } = this.#instruments;
    runDuration.record(durationMs / 1000, attributes);
    const happenedAt = Date.parse(occurredAt);
    const lagMs = Math.max(0, Date.now() - happenedAt);
    if (state === 'done' && happenedAt > 0) lag.record(lagMs / 1000, attributes);
  }

  onRecovery({ endpoint, outcome, isDryRun }: ObservedRecovery): void {
    if (isDryRun) return;
    const { recoveries, lastRecovery } = this.#instruments;
    recoveries.add(1, destinationOf({ endpoint }, { 'scalekit.recovery.outcome': outcome }));
    if (outcome === 'done') lastRecovery.record(Date.now() / 1000, destinationOf({ endpoint }));
  }

  onInbox(inbox: ObservedInbox): void {
    const { endpoint, state } = inbox;
    // Also makes the gauges, so that they exist before the first delivery.
    const { faults } = this.#instruments;
    const { inboxIntervalMs = 15_000 } = this.#options;
    if (state === 'opened') this.#inboxes.set(endpoint, new InboxGauge(inbox, inboxIntervalMs));
    if (state === 'closed') this.#inboxes.delete(endpoint);
    if (state === 'fault') faults.add(1, destinationOf(inbox, { 'scalekit.inbox.fault': inbox.fault }));
  }

  traceDelivery(delivery: ObservedEvent, work: () => Promise<Outcome>): void {
    const span = this.#startSpan('deliver', delivery);
    const ended = context.with(trace.setSpan(context.active(), span), work);
    void ended.then((outcome) => endDelivery(span, outcome));
  }

  traceRun(run: ObservedAttempt, work: () => Promise<ObservedRun>): void {
    const stored = readCarried(run.carried);
    const parent = stored ? trace.setSpanContext(context.active(), stored) : context.active();
    const attributes = {
      'messaging.consumer.group.name': run.handlerId,
      'scalekit.run.attempt': run.attempt,
      'scalekit.run.source': run.source,
    };
    const links = stored ? [{ context: stored }] : [];
    const span = this.#startSpan('run', run, { parent, attributes, links });
    const ended = context.with(trace.setSpan(parent, span), work);
    void ended.then(({ state, error }) => {
      span.setAttribute('scalekit.run.state', state);
      if (error) fail(span, error.name, error.message);
      span.end();
    });
  }

  carry(): Record<string, string> | undefined {
    const active = trace.getSpanContext(context.active());
    if (!active || !trace.isSpanContextValid(active)) return undefined;
    const { traceId, spanId, traceFlags } = active;
    return { traceparent: `00-${traceId}-${spanId}-0${traceFlags & TraceFlags.SAMPLED}` };
  }

  get #instruments(): Instruments {
    this.#known ??= createInstruments((this.#options.meterProvider ?? metrics).getMeter(NAME), this.#inboxes);
    return this.#known;
  }

  #startSpan(
    operation: 'deliver' | 'run',
    event: Pick<ObservedEvent, 'endpoint'> & Partial<ObservedEvent>,
    { parent = context.active(), attributes: own, ...options }: SpanOptions & { parent?: Context } = {},
  ): Span {
    const { endpoint, eventId, type } = event;
    const attributes = destinationOf(event, {
      'messaging.operation.name': operation,
      'messaging.operation.type': 'process',
      ...own,
      ...(eventId !== undefined && { 'messaging.message.id': eventId }),
      ...(type !== undefined && { 'scalekit.event.type': type }),
    });
    const tracer = (this.#options.tracerProvider ?? trace).getTracer(NAME);
    const given = { kind: SpanKind.CONSUMER, attributes, ...options };
    return tracer.startSpan(`${operation} ${endpoint}`, given, parent);
  }
}

/** The runs of an endpoint that are not done. They are counted at most once per interval. */
class InboxGauge {
  /** Without a new value, the SDK would report the last one for ever. */
  readonly #reported = new Map<string, Attributes>();
  #counts?: Promise<readonly InboxRunCount[] | undefined>;
  #askedAt = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly inbox: OpenedInbox,
    private readonly intervalMs: number,
  ) {}

  async observe(result: BatchObservableResult, instruments: Instruments): Promise<void> {
    const { inboxRuns, oldestWaiting, faults } = instruments;
    const destination = destinationOf(this.inbox);
    const counts = await this.#read();
    if (!counts) return faults.add(1, { ...destination, 'scalekit.inbox.fault': 'stats_failed' });
    for (const known of this.#reported.values()) result.observe(inboxRuns, 0, known);
    for (const { handlerId, state, count } of counts) {
      const run = { 'messaging.consumer.group.name': handlerId, 'scalekit.run.state': state };
      this.#reported.set(`${state} ${handlerId}`, { ...destination, ...run });
      result.observe(inboxRuns, count, { ...destination, ...run });
    }
    const waiting = counts.filter(({ state }) => state === 'queued' || state === 'failed');
    const oldest = Math.min(Date.now(), ...waiting.map(({ oldestReceivedAt }) => oldestReceivedAt.getTime()));
    result.observe(oldestWaiting, (Date.now() - oldest) / 1000, destination);
  }

  /** Undefined if the inbox fails or does not answer in time. */
  #read(): Promise<readonly InboxRunCount[] | undefined> {
    const now = performance.now();
    if (this.#counts && now - this.#askedAt < this.intervalMs) return this.#counts;
    this.#askedAt = now;
    const asked = this.inbox.stats(OPEN_STATES).catch(() => undefined);
    const answered = waitAtMost(asked, INBOX_TIMEOUT_MS);
    this.#counts = answered.then((answer) => (answer === TIMED_OUT ? undefined : answer));
    return this.#counts;
  }
}

type Instruments = ReturnType<typeof createInstruments>;

function createInstruments(meter: Meter, inboxes: ReadonlyMap<string, InboxGauge>) {
  const counter = (name: string, unit: string, description: string) =>
    meter.createCounter(`scalekit.webhook.${name}`, { unit, description });
  const gauge = (name: string, unit: string, description: string) =>
    meter.createObservableGauge(`scalekit.webhook.inbox.${name}`, { unit, description });
  const seconds = (name: string, description: string, explicitBucketBoundaries: number[]) =>
    meter.createHistogram(name, { unit: 's', description, advice: { explicitBucketBoundaries } });
  const instruments = {
    inboxRuns: gauge('runs', '{run}', 'Runs in the inbox that are not done, by state and handler'),
    oldestWaiting: gauge('oldest_waiting.age', 's', 'Age of the event of the oldest waiting run'),
    faults: counter('inbox.faults', '{fault}', 'Failures of the inbox or the transport'),
    deliveryDuration: seconds('scalekit.webhook.delivery.duration', 'Time to answer a delivery', DURATIONS),
    runDuration: seconds('messaging.process.duration', 'Duration of attempts', DURATIONS),
    lag: seconds('scalekit.webhook.lag', 'Time from occurred_at until the run was done', LAGS),
    unknownTypes: counter('unknown_types', '{delivery}', 'Deliveries of types without a class'),
    driftedFields: counter('drifted_fields', '{field}', 'Fields that differ from the documented types'),
    recoveries: counter('recoveries', '{recovery}', 'Recoveries by outcome'),
    lastRecovery: meter.createGauge('scalekit.webhook.recovery.last_done', {
      unit: 's',
      description: 'Unix time of the last recovery that was done',
    }),
  };
  const { inboxRuns, oldestWaiting } = instruments;
  const observe = async (result: BatchObservableResult) => {
    await Promise.all([...inboxes.values()].map((inbox) => inbox.observe(result, instruments)));
  };
  meter.addBatchObservableCallback(observe, [inboxRuns, oldestWaiting]);
  return instruments;
}

function destinationOf({ endpoint }: { readonly endpoint: string }, ...others: Attributes[]): Attributes {
  const destination = { 'messaging.system': 'scalekit', 'messaging.destination.name': endpoint };
  return Object.assign(destination, ...others);
}

/** The type as a label of metrics. Types that this version does not know are one label, so that they cannot be too many. */
function typeOf({ type }: { readonly type?: string }): Attributes {
  return type === undefined ? {} : { 'scalekit.event.type': KNOWN_TYPES.has(type) ? type : '_OTHER' };
}

function endDelivery(span: Span, outcome: Outcome): void {
  span.setAttribute('scalekit.delivery.outcome', outcome);
  if (FAILURES.has(outcome)) fail(span, outcome);
  span.end();
}

function fail(span: Span, type: string, message?: string): void {
  span.setAttribute('error.type', type);
  span.setStatus({ code: SpanStatusCode.ERROR, ...(message !== undefined && { message }) });
}

/** The context that {@link OpenTelemetryObserver.carry} has stored, if any. */
function readCarried(carried: ObservedAttempt['carried']) {
  const [, traceId = '', spanId = '', flags] = TRACEPARENT.exec(carried?.traceparent ?? '') ?? [];
  const found = { traceId, spanId, traceFlags: Number(flags), isRemote: true };
  return trace.isSpanContextValid(found) ? found : undefined;
}
