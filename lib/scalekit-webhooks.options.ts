import type { EventTransport } from './dispatch/event-transport.js';
import type { ScalekitWebhooksObserver } from './dispatch/observers.js';
import type { InboxStore } from './inbox/inbox-store.js';
import type { ValidationMode } from './parse/parse-event.js';
import type { SigningSecretSetting, WebhookVerifier } from './receive/receive.options.js';
import type { Outcome } from './respond/outcome.js';

/** The options of an endpoint that a factory may return. All are optional. */
export interface ScalekitWebhooksOptions {
  /**
   * The signing secret of the endpoint, as the Scalekit dashboard shows it (`whsec_…`). During a rotation, pass an array
   * with the old and the new secret. To choose the secret for each request, for example by tenant, pass a function.
   *
   * @default the environment variable `SCALEKIT_WEBHOOK_SECRET`, read through `ConfigService` if it has a value there.
   * Separate several secrets with commas.
   */
  signingSecret?: SigningSecretSetting;
  /**
   * How far the timestamp of a signature may differ from the current time, in seconds, in either direction. Deliveries
   * outside the tolerance get a 401.
   *
   * @default 300
   */
  toleranceSeconds?: number;
  /**
   * Accepts only events of this Scalekit environment (`env_…`), or of one of these environments. Other events get a 403.
   *
   * @default every environment
   */
  environmentId?: string | readonly string[];
  /**
   * What to do with an event whose `data` is invalid, for example because a field has the wrong type:
   *
   * - `strict`: responds with 400
   * - `lenient`: runs the handlers, and lists the invalid fields in `delivery.issues`
   * - `off`: does not check `data`
   *
   * The envelope (`id`, `type`, `occurred_at`, `data`) is always checked.
   *
   * @default 'strict'
   */
  validation?: ValidationMode;
  /**
   * Where events and their handlers' runs are recorded, so that each handler runs once per event. The default keeps
   * them only as long as the process runs. Use a `PostgresInboxStore`, `RedisInboxStore` or `SqliteInboxStore` to keep
   * the records after a restart and to share them between processes.
   *
   * @default a new MemoryInboxStore
   */
  inbox?: InboxStore;
  /**
   * How handlers are started. Use an `InboxTransport` to acknowledge deliveries at once and run the handlers from the inbox,
   * or a `BullMqTransport` to run them from a queue.
   *
   * @default within the request, all handlers at the same time
   */
  transport?: EventTransport;
  /**
   * Retries runs that Scalekit no longer retries. A run that failed or has no result gets up to 8 more attempts from the
   * inbox, beginning half an hour after its last attempt. Only without a `transport`, and with a `PostgresInboxStore` or a
   * `SqliteInboxStore`.
   *
   * @default false
   */
  retryFailed?: boolean;
  /**
   * How long the handlers of a delivery may take, in milliseconds, counted from the arrival of the request. After that
   * `delivery.signal` is aborted, and the delivery gets a 503, so that Scalekit retries it. Scalekit waits 10
   * seconds for a response.
   *
   * @default 9000
   */
  handlerTimeoutMs?: number;
  /**
   * Decides whether a retry may help after an error that a handler threw. If it returns `false`, the run is dead: no retry
   * runs it again. If it throws, the run is retried. It replaces the default rule, including for `NonRetryableEventError`.
   *
   * @default every error is retried, except `NonRetryableEventError` and Nest's `UnprocessableEntityException`
   */
  retryable?: (error: unknown) => boolean;
  /**
   * The maximum size of a request body, in bytes, both as it was sent and after decompression. Larger bodies get a 413.
   *
   * @default 1048576 (1 MiB)
   */
  maxBodyBytes?: number;
  /**
   * Also emits each event as `scalekit.<type>` through `@nestjs/event-emitter`. All listeners together count as one
   * handler. Requires `EventEmitterModule.forRoot()`.
   *
   * @default false
   */
  eventEmitter?: boolean;
  /**
   * Replaces the status codes of some outcomes, for example `{ processed: 200 }`. The outcomes that acknowledge an event
   * (`processed`, `accepted`, `duplicate`, `dead`, `ignored`) must keep a 2xx, all others a 4xx or 5xx.
   *
   * @default the status codes of Scalekit's guide
   */
  statusCodes?: Partial<Record<Outcome, number>>;
  /**
   * Replaces the built-in verification, for example with that of Scalekit's SDK. Without it, a request that lacks
   * signature headers gets a 401 before its body is read. With it, all bodies are read.
   *
   * @default verifyWebhookSignature, which accepts both of Scalekit's signature schemes
   */
  verifier?: WebhookVerifier;
  /**
   * Objects that are told about deliveries, runs, recoveries and the inbox, for metrics, traces and alerts. Providers that
   * are decorated with `@ScalekitObserver()` need not be listed.
   *
   * @default []
   */
  observers?: readonly ScalekitWebhooksObserver[];
}

/** The options of an endpoint that Nest needs before it runs a factory. All are optional. */
export interface ScalekitWebhooksEndpointOptions {
  /**
   * The path of the endpoint, without the global prefix. Segments may be parameters, such as `webhooks/:tenant`.
   *
   * @default 'webhooks/scalekit'
   */
  path?: string;
  /**
   * The name of the endpoint. Required if the application has several: it appears in logs, in the inbox and in
   * `delivery.endpoint`, and `@OnScalekitEvent(type, { endpoint })` refers to it. Up to 64 letters, digits, `.`, `_`
   * and `-`.
   *
   * @default 'default'
   */
  name?: string;
  /**
   * Decorators for the endpoint's controller. Use them to exempt the endpoint from global guards, for example with your
   * own `@Public()` or with `SkipThrottle()`.
   *
   * @default []
   */
  controllerDecorators?: readonly ClassDecorator[];
  /**
   * Makes `ScalekitEventDispatcher` and `ScalekitInbox` injectable in every module of the application.
   *
   * @default false
   */
  isGlobal?: boolean;
}

/** The class that `useClass` and `useExisting` of `forRootAsync` expect. */
export interface ScalekitWebhooksOptionsFactory {
  createScalekitWebhooksOptions(): ScalekitWebhooksOptions | Promise<ScalekitWebhooksOptions>;
}
