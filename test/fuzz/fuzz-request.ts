export type Header = readonly [name: string, value: string];

/** One request as it is sent. */
export interface FuzzRequest {
  readonly method: string;
  readonly path: string;
  /** In this order. Names may be in any case and may repeat. The client adds `Host` and the framing of the body. */
  readonly headers: readonly Header[];
  readonly body: Buffer;
  readonly chunked: boolean;
}

/**
 * The answer that a request must get: this status, any 2xx (`accepted`), or any 2xx or 4xx (`either`). In each case a 5xx
 * is a failure, and so is a 2xx for a request that is not authentic.
 */
export type Expected = number | 'accepted' | 'either';

export interface FuzzCase {
  readonly kind: string;
  readonly request: FuzzRequest;
  readonly expected: Expected;
}

export function valuesOf({ headers }: FuzzRequest, name: string): string[] {
  return headers.filter(([other]) => other.toLowerCase() === name).map(([, value]) => value);
}

/** Without the headers of both signature schemes. */
export function withoutSignature(request: FuzzRequest): FuzzRequest {
  return withHeaders(
    request,
    ['webhook-id'],
    ['webhook-timestamp'],
    ['webhook-signature'],
    ['scalekit-signature'],
  );
}

/** Replaces all headers of the given names. A name without a value is only removed. */
export function withHeaders(
  request: FuzzRequest,
  ...changes: readonly [name: string, value?: string][]
): FuzzRequest {
  const names = changes.map(([name]) => name.toLowerCase());
  return {
    ...request,
    headers: [
      ...request.headers.filter(([name]) => !names.includes(name.toLowerCase())),
      ...changes.flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const])),
    ],
  };
}
