import { InvalidEventError, ScalekitWebhooksError, WebhookVerificationError } from '../errors/errors.js';

export const OUTCOMES = [
  'processed',
  'accepted',
  'duplicate',
  'dead',
  'ignored',
  'invalid_event',
  'unauthenticated',
  'wrong_environment',
  'body_too_large',
  'unsupported_media_type',
  'unprocessable',
  'failed',
  'unavailable',
  'misconfigured',
] as const;

/** How a delivery ended. Each outcome has a status code. */
export type Outcome = (typeof OUTCOMES)[number];

/** The response to a delivery: a status and a body without details. */
export interface WebhookAnswer {
  readonly status: number;
  /** `replay` is present if the delivery asked for a replay: `done`, or why it was not possible. */
  readonly body: { readonly received: boolean; readonly status?: string; readonly replay?: string };
  /** When to retry, in seconds. Sent as `Retry-After`. */
  readonly retryAfterSeconds?: number;
}

/** The status code of each outcome. The `statusCodes` option changes some of them. */
export type OutcomeStatusCodes = Readonly<Record<Outcome, number>>;

/** The default status codes. They follow Scalekit's guide. 413, 415 and 503 have their usual HTTP meaning. */
export const DEFAULT_STATUS_CODES: OutcomeStatusCodes = Object.freeze({
  processed: 201,
  accepted: 202,
  duplicate: 200,
  dead: 200,
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

const ACKNOWLEDGED: ReadonlySet<Outcome> = new Set(['processed', 'accepted', 'duplicate', 'dead', 'ignored']);
const DEFAULT_RETRY_AFTER_SECONDS = 5;

/** Whether the outcome acknowledges the event, so that the sender does not retry it. */
export function isAcknowledged(outcome: Outcome): boolean {
  return ACKNOWLEDGED.has(outcome);
}

/** Returns the response for an outcome. Only an outcome that acknowledges the event appears in the body. */
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

/** Why a replay was not possible, for the sender of the request, who has the signing secret. */
export function answerForReplay(answer: WebhookAnswer, replay: string): WebhookAnswer {
  return { ...answer, body: { ...answer.body, replay } };
}

/** A delivery is rejected for a reason other than its signature or its event. */
export class DeliveryRefusedError extends ScalekitWebhooksError {
  override readonly code = 'delivery_refused';

  constructor(
    readonly outcome: Outcome,
    message: string,
  ) {
    super(message);
  }
}

/** Returns the outcome of a delivery that was rejected before any handler ran. */
export function outcomeOfError(error: ScalekitWebhooksError): Outcome {
  if (error instanceof WebhookVerificationError) return 'unauthenticated';
  if (error instanceof InvalidEventError) return 'invalid_event';
  return error instanceof DeliveryRefusedError ? error.outcome : 'misconfigured';
}
