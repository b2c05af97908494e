/** The base class of all errors of this library. Each has a stable `code` that programs can check. */
export abstract class ScalekitWebhooksError extends Error {
  abstract readonly code: string;

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** Whether an error has this code. The ESM and the CommonJS build, of which an application may load both, have their own classes. */
export function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}

/** A setting is invalid. The message names the setting, what was found, and what to do. */
export class ScalekitWebhooksConfigurationError extends ScalekitWebhooksError {
  override readonly code = 'configuration_invalid';

  constructor(
    readonly setting: string,
    message: string,
  ) {
    super(message);
  }
}

/** A decorated method cannot run as declared. Thrown at startup. */
export class HandlerDeclarationError extends ScalekitWebhooksError {
  override readonly code = 'handler_invalid';
}

/**
 * Why a delivery is not authentic:
 *
 * - `headers_missing`: neither scheme has all of its signature headers
 * - `headers_malformed`: a signature header is malformed
 * - `timestamp_out_of_tolerance`: signed too long ago, or too far in the future
 * - `signature_mismatch`: no signature matches any of the secrets
 * - `payload_malformed`: the payload is a string that UTF-8 cannot encode
 * - `verifier_rejected`: the module's `verifier` option rejected the delivery
 * - `replay_repeated`: a request for a replay arrived twice
 */
export type WebhookVerificationErrorCode =
  | 'headers_missing'
  | 'headers_malformed'
  | 'timestamp_out_of_tolerance'
  | 'signature_mismatch'
  | 'payload_malformed'
  | 'verifier_rejected'
  | 'replay_repeated';

/** A delivery is not authentic. The error contains no payload, secret or digest. */
export class WebhookVerificationError extends ScalekitWebhooksError {
  constructor(
    override readonly code: WebhookVerificationErrorCode,
    message: string,
  ) {
    super(message);
  }
}

/** A validation issue. It names a field and a rule, but never contains the value of the field. */
export interface EventIssue {
  /** The path of the field, for example `data.user.email`. */
  readonly path: string;
  /** The rule that the field breaks, for example `isString`. */
  readonly rule: string;
}

/**
 * Why a payload is not a valid event:
 *
 * - `not_json`: it is not valid UTF-8, or not valid JSON
 * - `not_an_event`: it is JSON, but lacks the envelope of an event
 * - `invalid_data`: a field is invalid
 */
export type InvalidEventErrorCode = 'not_json' | 'not_an_event' | 'invalid_data';

/** A payload is not a valid event. `issues` name fields and rules, never values. */
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
 * Throw this in a handler when a retry cannot succeed. The run becomes dead: it is not attempted again, and the
 * delivery gets a 422.
 *
 * @example throw new NonRetryableEventError('no tenant for this organization');
 */
export class NonRetryableEventError extends ScalekitWebhooksError {
  override readonly code = 'non_retryable';
}

/**
 * An attempt cannot record its success inside a transaction: its lease has ended and another attempt may have started, or
 * it has already recorded its success. Do not catch this error, so that the transaction is rolled back.
 */
export class LeaseLostError extends ScalekitWebhooksError {
  override readonly code = 'lease_lost';

  constructor(
    readonly eventId: string,
    readonly handlerId: string,
  ) {
    super(
      `${handlerId} cannot record ${eventId} as done: it took too long and another attempt may have started, or an earlier transaction has recorded it. Roll back the transaction.`,
    );
  }
}

/**
 * The inbox's database did not respond in time. It may still execute the statement. The next call tries again, because
 * claims and settlements can be repeated.
 */
export class InboxTimeoutError extends ScalekitWebhooksError {
  override readonly code = 'inbox_timeout';

  constructor(
    readonly database: string,
    readonly timeoutMs: number,
  ) {
    super(
      `${database} did not answer within ${timeoutMs / 1000} s. Check the connection, and give the client timeouts, so that it replaces lost connections.`,
    );
  }
}

/**
 * The inbox cannot be used until something is changed, and deliveries get a 503. Each of the `problems` says what is wrong,
 * then what to do. The `ping` of a store rejects with it, and startup logs each problem as a warning.
 */
export class InboxUnusableError extends ScalekitWebhooksError {
  override readonly code = 'inbox_unusable';

  constructor(readonly problems: readonly string[]) {
    super(problems.join(' '));
  }
}

/**
 * A handler called `delivery.complete()` or `delivery.transaction()`, but its run is not done in the inbox: the transaction
 * was not committed, so its changes are lost. The run has failed, whatever the handler returned, and can be retried.
 */
export class TransactionNotCommittedError extends ScalekitWebhooksError {
  override readonly code = 'transaction_not_committed';

  constructor(
    readonly eventId: string,
    readonly handlerId: string,
  ) {
    super(
      `The transaction of ${handlerId} for ${eventId} was not committed, so its changes are lost and the run has failed. Do not catch errors inside the transaction, and commit it before the handler returns.`,
    );
  }
}

/**
 * The deadline of an attempt passed while the work of its `delivery.transaction()` was still in progress. Everything was
 * rolled back, so that the transaction does not keep its locks or its connection. The run has failed and can be retried.
 */
export class TransactionTimeoutError extends ScalekitWebhooksError {
  override readonly code = 'transaction_timeout';

  constructor(
    readonly eventId: string,
    readonly handlerId: string,
  ) {
    super(
      `The transaction of ${handlerId} for ${eventId} was still open at the deadline, so it was rolled back. Do not wait for anything slow in it, or give the handler more time.`,
    );
  }
}

/**
 * The inbox has the payload of an event, but cannot read it: the store's option `encryption` does not have its key, or the
 * payload was changed, or moved from another event. A worker's run fails with it and is retried.
 */
export class PayloadUnreadableError extends ScalekitWebhooksError {
  override readonly code = 'payload_unreadable';

  /** @param keyId the id of the key that encrypted the payload; undefined if it cannot be recognized */
  constructor(
    reason: 'key_missing' | 'changed',
    readonly eventId: string,
    readonly keyId: string | undefined,
  ) {
    const key = keyId === undefined ? 'an unknown key' : `the key "${keyId}"`;
    super(
      reason === 'key_missing'
        ? `The payload of ${eventId} is encrypted with ${key}, which the store does not have. Add the key to the option encryption of the store, then replay the event.`
        : `The payload of ${eventId} cannot be decrypted with ${key}. It was changed or copied from another event, or this id belonged to another secret. Give the key its former secret, or restore the payload from a backup.`,
    );
  }
}

/** Whether a store says that it cannot read a payload. */
export function isPayloadUnreadable(error: unknown): error is PayloadUnreadableError {
  return hasCode(error, 'payload_unreadable');
}

/**
 * The option `redact` of the store failed for an event, so the event was not stored and its delivery gets a 503. The message
 * has no text of the event, and not what `redact` threw, because that may quote the event.
 */
export class RedactionFailedError extends ScalekitWebhooksError {
  override readonly code = 'redaction_failed';

  constructor(
    readonly eventId: string,
    reason: string,
  ) {
    super(
      `The option redact of the inbox failed for ${eventId}: ${reason}. The event was not stored. Correct redact: it must return the event, with the same type, time and ids.`,
    );
  }
}

/**
 * A run that waited for a worker is dead, because the inbox no longer has the payload of its event. The inbox records this error
 * with the run. It is never thrown to your code.
 */
export class PayloadErasedError extends ScalekitWebhooksError {
  override readonly code = 'payload_erased';

  constructor(readonly eventId: string) {
    super(
      `The inbox no longer has the payload of ${eventId}, because it was erased or deleted, so the run cannot be executed. Dismiss the run. If its work is still needed, do it by hand.`,
    );
  }
}

/**
 * Why an event cannot be replayed or dismissed:
 *
 * - `event_unknown`: the endpoint's inbox never had the event, or has deleted it
 * - `payload_missing`: the inbox has the event, but not its payload
 * - `payload_unreadable`: the inbox cannot decrypt the payload; the `cause` is a {@link PayloadUnreadableError}
 * - `payload_erased`: the payload of the event was erased
 * - `handler_unknown`: a handler that you named does not exist or, for a dismissal, has no run of the event
 */
export type InboxReplayErrorCode =
  | 'event_unknown'
  | 'payload_missing'
  | 'payload_unreadable'
  | 'payload_erased'
  | 'handler_unknown';

/** A replay or a dismissal is not possible. Nothing was changed. */
export class InboxReplayError extends ScalekitWebhooksError {
  constructor(
    override readonly code: InboxReplayErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/**
 * Why a recovery did not finish:
 *
 * - `in_progress`: another process, or another call, is recovering the events of this endpoint
 * - `api_failed`: the Events API failed several times in a row
 * - `inbox_failed`: the inbox could not store an event
 * - `interrupted`: the application is closing, or another process has taken over
 */
export type ScalekitRecoveryErrorCode = 'in_progress' | 'api_failed' | 'inbox_failed' | 'interrupted';

/** A recovery did not finish. What it has handled stays handled, and the next recovery reads the same events again. */
export class ScalekitRecoveryError extends ScalekitWebhooksError {
  constructor(
    override readonly code: ScalekitRecoveryErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}
