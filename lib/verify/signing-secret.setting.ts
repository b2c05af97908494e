/** What a secret resolver is told of a request. Nothing of it is verified yet. */
export interface SigningSecretRequest {
  /** The endpoint's `name`. */
  readonly endpoint: string;
  /** The path's parameters, for a `path` such as `webhooks/:tenant`. */
  readonly params: Readonly<Record<string, string>>;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
}

/**
 * Finds the signing secrets for a request. None (undefined or an empty list) is answered with 401; an error
 * with 503, so that the delivery comes again.
 */
export type SigningSecretResolver = (
  request: SigningSecretRequest,
) => string | readonly string[] | undefined | Promise<string | readonly string[] | undefined>;

/** One signing secret, several while one replaces another, or a function that finds them. */
export type SigningSecretSetting = string | readonly string[] | SigningSecretResolver;
