import { InvalidEventError, ScalekitWebhooksError, WebhookVerificationError } from '../errors/errors.js';

/** How a delivery ended. Each has one row in the outcome table (`outcome.table.ts`). */
export type Outcome =
  | 'processed'
  | 'accepted'
  | 'duplicate'
  | 'ignored'
  | 'invalid_event'
  | 'unauthenticated'
  | 'wrong_environment'
  | 'body_too_large'
  | 'unsupported_media_type'
  | 'unprocessable'
  | 'failed'
  | 'unavailable'
  | 'misconfigured';

/** What the sender is told: a status, and a body that gives nothing away. */
export interface WebhookAnswer {
  readonly status: number;
  readonly body: { readonly received: boolean; readonly status?: string };
  /** Seconds after which a retry makes sense; sent as `Retry-After`. */
  readonly retryAfterSeconds?: number;
}

/** Status codes by outcome, to be changed in part by the `statusCodes` option. */
export type OutcomeStatusCodes = Readonly<Record<Outcome, number>>;

/** The one table from outcome to status (Scalekit's guide, "Respond to webhook event"; 413, 415 and 503 are HTTP's own). */
export const DEFAULT_STATUS_CODES: OutcomeStatusCodes = Object.freeze({
  processed: 201,
  accepted: 202,
  duplicate: 200,
  ignored: 200,
  invalid_event: 400,
  unauthenticated: 401,
  wrong_environment: 403,
  body_too_large: 413,
  unsupported_media_type: 415,
  unprocessable: 422,
  failed: 500,
  unavailable: 503,
  misconfigured: 500,
});

const ACKNOWLEDGED: ReadonlySet<Outcome> = new Set(['processed', 'accepted', 'duplicate', 'ignored']);
const DEFAULT_RETRY_AFTER_SECONDS = 5;

/** Whether the sender may forget the event after this outcome. */
export function isAcknowledged(outcome: Outcome): boolean {
  return ACKNOWLEDGED.has(outcome);
}

/** The answer for an outcome. Only the outcomes that acknowledge say more than that nothing was received. */
export function answerFor(
  outcome: Outcome,
  statusCodes: OutcomeStatusCodes = DEFAULT_STATUS_CODES,
  retryAfterSeconds = DEFAULT_RETRY_AFTER_SECONDS,
): WebhookAnswer {
  const status = statusCodes[outcome];
  if (isAcknowledged(outcome)) return { status, body: { received: true, status: outcome } };
  const refused = { status, body: { received: false } };
  return outcome === 'unavailable' ? { ...refused, retryAfterSeconds } : refused;
}

/** A delivery that is turned away for a reason that is not its signature's or its event's. */
export class DeliveryRefusedError extends ScalekitWebhooksError {
  override readonly code = 'delivery_refused';

  constructor(
    readonly outcome: Outcome,
    message: string,
  ) {
    super(message);
  }
}

/** The outcome of a delivery that was turned away before any handler saw it. */
export function outcomeOfError(error: ScalekitWebhooksError): Outcome {
  if (error instanceof WebhookVerificationError) return 'unauthenticated';
  if (error instanceof InvalidEventError) return 'invalid_event';
  return error instanceof DeliveryRefusedError ? error.outcome : 'misconfigured';
}
