import type { Answer } from './client.js';
import type { Expected, FuzzCase } from './fuzz-request.js';
import type { MalformedCase } from './malformed.js';
import { mayBeAuthentic } from './oracle.js';

const GENERIC_ANSWER = '{"received":false}';
// What the endpoint itself answers; a 404 is Nest's, a 431 is Node's.
const OWN_STATUSES = [401, 403, 413, 415, 422];

/** What is wrong with an answer, if anything. */
export function judge({ request, expected }: FuzzCase, { status, text }: Answer): string | undefined {
  const told = `${request.method} ${request.path.slice(0, 60)} was answered with ${status}`;
  if (status >= 500) return `${told}: ${text.slice(0, 100)}`;
  if (!fits(status, expected)) return `${told}, expected ${expected}: ${text.slice(0, 100)}`;
  if (isAccepted(status) && request.method === 'POST' && !mayBeAuthentic(request))
    return `${told}, not authentic`;
  if (OWN_STATUSES.includes(status) && text !== GENERIC_ANSWER) return `${told}: ${text.slice(0, 100)}`;
  return undefined;
}

export function judgeMalformed(
  { statuses: expected, silence, isWhole }: MalformedCase,
  statuses: readonly number[],
): string | undefined {
  const told = `answered with ${statuses.join(', ') || 'nothing'}`;
  if (expected)
    return expected.join() === statuses.join() ? undefined : `${told}, expected ${expected.join(', ')}`;
  if (statuses.length === 0) return silence ? undefined : told;
  return statuses.some((status) => status >= 500 || (isAccepted(status) && !isWhole)) ? told : undefined;
}

function fits(status: number, expected: Expected): boolean {
  if (typeof expected === 'number') return status === expected;
  const isRefused = status >= 400 && status < 500;
  if (expected === 'accepted') return isAccepted(status);
  return isRefused || (expected === 'either' && isAccepted(status));
}

function isAccepted(status: number): boolean {
  return status >= 200 && status < 300;
}
