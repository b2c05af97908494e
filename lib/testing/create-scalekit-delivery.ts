import { randomUUID } from 'node:crypto';
import { idempotencyKey, type ScalekitDelivery } from '../dispatch/scalekit-delivery.js';
import {
  checkOptions,
  describeValue,
  type OptionChecks,
  objectWith,
  optional,
  refuseSetting,
  requireDate,
  requirePositiveInteger,
  requireText,
} from '../errors/settings.js';

/** Options of {@link createScalekitDelivery}. */
export interface CreateScalekitDeliveryOptions {
  /**
   * The event that the handler gets. It becomes `rawBody`, and `idempotencyKey` depends on its id.
   * @default an empty object
   */
  readonly event?: object;
  /**
   * The delivery's id.
   * @default a new one each time
   */
  readonly id?: string;
  /**
   * The name of the endpoint.
   * @default 'default'
   */
  readonly endpoint?: string;
  /**
   * When it was received.
   * @default now
   */
  readonly receivedAt?: Date;
  /**
   * The number of the attempt.
   * @default 1
   */
  readonly attempt?: number;
  /**
   * The request's headers.
   * @default none
   */
  readonly headers?: ScalekitDelivery['headers'];
  /**
   * The signal of the handler's deadline.
   * @default one that never fires
   */
  readonly signal?: AbortSignal;
  /**
   * What `delivery.transaction` passes to the handler's work: a client, or a fake of one.
   * @default an object that throws an error when the handler uses it
   */
  readonly tx?: object;
}

const CHECKS: OptionChecks<CreateScalekitDeliveryOptions> = {
  event: optional(requireObject),
  id: optional(requireText),
  endpoint: optional(requireText),
  receivedAt: optional(requireDate),
  attempt: optional(requirePositiveInteger),
  headers: optional(requireObject),
  signal: optional(objectWith('addEventListener')),
  tx: optional(requireObject),
};

function requireObject(setting: string, value: unknown): void {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return;
  refuseSetting(setting, `${setting} must be an object, found ${describeValue(value)}.`);
}

// Handlers have different keys in an application. A unit test calls only one.
const HANDLER_ID = 'Handlers.handle';

/**
 * Creates the second parameter of a handler, for tests that call the handler themselves. `transaction` runs its work, and
 * `complete` does nothing: there is no inbox.
 *
 * @throws ScalekitWebhooksConfigurationError for an unknown or invalid option
 * @example
 * ```ts
 * const event = createScalekitEvent('user.created');
 * await handlers.create(event, createScalekitDelivery({ event, attempt: 2 }));
 * ```
 */
export function createScalekitDelivery(options: CreateScalekitDeliveryOptions = {}): ScalekitDelivery {
  checkOptions(options, CHECKS);
  const { event = {}, endpoint = 'default', tx = NO_TRANSACTION } = options;
  return {
    id: options.id ?? `msg_${randomUUID().replaceAll('-', '')}`,
    endpoint,
    receivedAt: options.receivedAt ?? new Date(),
    attempt: options.attempt ?? 1,
    rawBody: Buffer.from(JSON.stringify(event)),
    headers: options.headers ?? {},
    issues: [],
    signal: options.signal ?? new AbortController().signal,
    idempotencyKey: idempotencyKey(endpoint, String(Reflect.get(event, 'id')), HANDLER_ID),
    // The handler says what type its transactions have.
    transaction: async (work) => work(tx as never),
    complete: async () => {},
  };
}

const NO_TRANSACTION = new Proxy(
  {},
  {
    get: () =>
      refuseSetting(
        'tx',
        'The handler used the transaction of delivery.transaction(), but there is none. Pass one: createScalekitDelivery({ tx: client }).',
      ),
  },
);
