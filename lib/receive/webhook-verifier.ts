/** What a custom verifier is given. */
export interface WebhookVerifierInput {
  /** The exact bytes that were received. */
  readonly payload: Buffer;
  /** The request's headers, names in lower case. */
  readonly headers: Record<string, string>;
  /** The endpoint's signing secrets as text; empty where none is configured. */
  readonly secrets: readonly string[];
}

/**
 * Decides on a delivery in place of the library. Anything but `true` refuses it with 401, and so does whatever
 * is thrown.
 *
 * @example
 * ```ts
 * verifier: ({ payload, headers, secrets }) =>
 *   secrets.some((secret) => scalekit.verifyWebhookPayload(secret, headers, payload.toString()))
 * ```
 */
export type WebhookVerifier = (input: WebhookVerifierInput) => boolean | Promise<boolean>;
