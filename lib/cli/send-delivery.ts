import { CLI_MESSAGES } from './cli.messages.js';
import { errorField } from './error-field.js';
import { onOneLine } from './printable.js';

const TIMEOUT_SECONDS = 30;
const SHOWN_BODY_LENGTH = 120;

/** What came back for one delivery: a status, or the reason why there is none. */
export type DeliveryAnswer =
  | { readonly status: number; readonly body: string; readonly milliseconds: number }
  | { readonly status?: undefined; readonly reason: string };

/** Posts one signed event. A redirect is an answer like any other: Scalekit does not follow it either. */
export async function sendDelivery(
  url: URL,
  body: string | Uint8Array,
  signature: Record<string, string>,
): Promise<DeliveryAnswer> {
  const started = performance.now();
  try {
    const response = await fetch(url, {
      method: 'POST',
      body,
      headers: { 'content-type': 'application/json', ...signature },
      redirect: 'manual',
      signal: AbortSignal.timeout(TIMEOUT_SECONDS * 1000),
    });
    const text = await response.text();
    return {
      status: response.status,
      body: onOneLine(text.slice(0, SHOWN_BODY_LENGTH)),
      milliseconds: Math.round(performance.now() - started),
    };
  } catch (error) {
    return { reason: explain(error, url) };
  }
}

function explain(error: unknown, { origin }: URL): string {
  if (errorField(error, 'name') === 'TimeoutError') return CLI_MESSAGES.timedOut(TIMEOUT_SECONDS);
  const cause: unknown =
    typeof error === 'object' && error !== null && 'cause' in error ? error.cause : undefined;
  if (cause === undefined) throw error;
  const code = errorField(cause, 'code');
  if (code === 'ECONNREFUSED') return CLI_MESSAGES.connectionRefused(origin);
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return CLI_MESSAGES.hostUnknown(origin);
  if (code === 'UND_ERR_SOCKET' || code === 'ECONNRESET') return CLI_MESSAGES.connectionBroken;
  return CLI_MESSAGES.requestFailed(code ?? errorField(cause, 'message') ?? 'fetch failed');
}
