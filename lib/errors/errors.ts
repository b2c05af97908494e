/** What every error of this library is: it carries a stable `code` that programs may branch on. */
export abstract class ScalekitWebhooksError extends Error {
  abstract readonly code: string;

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** A setting that cannot work. The message names the setting, what was found, and what to do. */
export class ScalekitWebhooksConfigurationError extends ScalekitWebhooksError {
  override readonly code = 'configuration_invalid';

  constructor(
    readonly setting: string,
    message: string,
  ) {
    super(message);
  }
}

/** A decorated method that could never run, or not as declared. Thrown while the application starts. */
export class HandlerDeclarationError extends ScalekitWebhooksError {
  override readonly code = 'handler_invalid';
}

/**
 * Why a delivery is not authentic:
 *
 * - `headers_missing`: no complete set of signature headers of either scheme
 * - `headers_malformed`: a signature header cannot be read
 * - `timestamp_out_of_tolerance`: signed too long ago, or too far in the future
 * - `signature_mismatch`: no signature belongs to any of the secrets
 * - `payload_malformed`: the payload given is a string that UTF-8 cannot hold
 * - `verifier_rejected`: the `verifier` option of the module refused the delivery
 */
export type WebhookVerificationErrorCode =
  | 'headers_missing'
  | 'headers_malformed'
  | 'timestamp_out_of_tolerance'
  | 'signature_mismatch'
  | 'payload_malformed'
  | 'verifier_rejected';

/** A delivery whose signature does not hold. It carries neither payload nor secret nor digest. */
export class WebhookVerificationError extends ScalekitWebhooksError {
  constructor(
    override readonly code: WebhookVerificationErrorCode,
    message: string,
  ) {
    super(message);
  }
}

/** One finding of the validation. It names a field and a rule, and never holds the field's value. */
export interface EventIssue {
  /** Where the field stands, for example `data.user.email`. */
  readonly path: string;
  /** Which rule it breaks, for example `isString`. */
  readonly rule: string;
}

/**
 * Why a payload cannot become an event:
 *
 * - `not_json`: the bytes are not UTF-8, or the text is not JSON
 * - `not_an_event`: JSON, but without the envelope that every event has
 * - `invalid_data`: an event whose fields a handler could not make sense of
 */
export type InvalidEventErrorCode = 'not_json' | 'not_an_event' | 'invalid_data';

/** A payload that is not a valid event. `issues` name fields and rules, never values. */
export class InvalidEventError extends ScalekitWebhooksError {
  constructor(
    override readonly code: InvalidEventErrorCode,
    message: string,
    readonly issues: readonly EventIssue[] = [],
  ) {
    super(message);
  }
}

/**
 * Thrown by a handler to say that a retry cannot help. The handler is not run again for this event: its row
 * in the inbox becomes dead (a dead letter), and the delivery is answered with 422.
 *
 * @example throw new NonRetryableEventError('no tenant for this organization');
 */
export class NonRetryableEventError extends ScalekitWebhooksError {
  override readonly code = 'non_retryable';
}

/**
 * A run that wants to record its success inside a transaction no longer has the right to: its lease ran out, and
 * another claim took the handler over. Let it through, so that the transaction is rolled back.
 */
export class LeaseLostError extends ScalekitWebhooksError {
  override readonly code = 'lease_lost';

  constructor(
    readonly eventId: string,
    readonly handlerId: string,
  ) {
    super(
      `${handlerId} no longer holds the lease for ${eventId}: it took longer than its lease, and another run may have taken over. Roll back.`,
    );
  }
}

/**
 * Why an event cannot be replayed:
 *
 * - `event_unknown`: the endpoint's inbox has no such event (any more)
 * - `payload_missing`: the inbox knows the event, but does not keep what was received
 * - `handler_unknown`: a handler that is named in the options does not exist
 */
export type InboxReplayErrorCode = 'event_unknown' | 'payload_missing' | 'handler_unknown';

/** A replay that cannot take place. Nothing was changed. */
export class InboxReplayError extends ScalekitWebhooksError {
  constructor(
    override readonly code: InboxReplayErrorCode,
    message: string,
  ) {
    super(message);
  }
}
