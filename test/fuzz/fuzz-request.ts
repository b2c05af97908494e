export type Header = readonly [name: string, value: string];

/** One request as it will be sent. */
export interface FuzzRequest {
  readonly method: string;
  readonly path: string;
  /** In order, names in any case, names repeated or not. `Host` and the body's framing are added. */
  readonly headers: readonly Header[];
  readonly body: Buffer;
  readonly chunked: boolean;
}

/**
 * What has to be answered: a status, any 2xx (`accepted`), any 4xx (`refused`), or whichever of these two, as long as
 * nothing is accepted that is not authentic (`either`). A 5xx is a failure in any case.
 */
export type Expected = number | 'accepted' | 'refused' | 'either';

export interface FuzzCase {
  readonly kind: string;
  readonly request: FuzzRequest;
  readonly expected: Expected;
}

export function valuesOf({ headers }: FuzzRequest, name: string): string[] {
  return headers.filter(([other]) => other.toLowerCase() === name).map(([, value]) => value);
}

/** The request with other values for some headers, each in the place of all that had its name; none removes it. */
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
