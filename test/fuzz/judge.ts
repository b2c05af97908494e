import type { Answer } from './client.js';
import type { Expected, FuzzCase } from './fuzz-request.js';
import type { MalformedCase } from './malformed.js';
import { mayBeAuthentic } from './oracle.js';

const GENERIC_ANSWER = '{"received":false}';
// The endpoint itself answers with these. A 404 comes from Nest, a 431 from Node.
const OWN_STATUSES = [401, 403, 413, 415, 422];

/** Describes what is wrong with an answer, if anything. */
export function judge({ request, expected }: FuzzCase, { status, text }: Answer): string | undefined {
  const found = `${request.method} ${request.path.slice(0, 60)} got ${status}`;
  if (status >= 500) return `${found}: ${text.slice(0, 100)}`;
  if (!fits(status, expected)) return `${found}, expected ${expected}: ${text.slice(0, 100)}`;
  if (isAccepted(status) && request.method === 'POST' && !mayBeAuthentic(request))
    return `${found}, but is not authentic`;
  if (OWN_STATUSES.includes(status) && text !== GENERIC_ANSWER) return `${found}: ${text.slice(0, 100)}`;
  return undefined;
}

export function judgeMalformed(
  { statuses: expected, mayBeSilent, isComplete }: MalformedCase,
  statuses: readonly number[],
): string | undefined {
  const found = `got ${statuses.join(', ') || 'no answer'}`;
  if (statuses.length === 0 && mayBeSilent) return undefined;
  if (expected)
    return expected.join() === statuses.join() ? undefined : `${found}, expected ${expected.join(', ')}`;
  if (statuses.length === 0) return found;
  return statuses.some((status) => status >= 500 || (isAccepted(status) && !isComplete)) ? found : undefined;
}

function fits(status: number, expected: Expected): boolean {
  if (typeof expected === 'number') return status === expected;
  return isAccepted(status) || (expected === 'either' && status >= 400 && status < 500);
}

function isAccepted(status: number): boolean {
  return status >= 200 && status < 300;
}
