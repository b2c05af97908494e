import cliProgress from 'cli-progress';
import { errorField } from './cli.errors.js';
import { CLI_MESSAGES } from './cli.messages.js';
import type { CliIo } from './cli-io.js';
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

const LARGE_COUNT = 20;

/** Shows the answers as they come: one line each, or one progress bar for many of them on a terminal. */
export class DeliveryReport {
  readonly #tally = new Map<string, number>();
  readonly #progress?: cliProgress.SingleBar;

  constructor(
    private readonly io: CliIo,
    private readonly count: number,
  ) {
    if (count <= LARGE_COUNT || !io.stderr.isTTY) return;
    const format = 'sending {bar} {value}/{total}, {eta_formatted} left';
    this.#progress = new cliProgress.SingleBar(
      { stream: io.stderr, format },
      cliProgress.Presets.shades_classic,
    );
    this.#progress.start(count, 0);
  }

  add(event: string, answer: DeliveryAnswer): void {
    const key = answer.status === undefined ? answer.reason : String(answer.status);
    this.#tally.set(key, (this.#tally.get(key) ?? 0) + 1);
    if (this.#progress) this.#progress.increment();
    else this.io.stdout.write(`${lineFor(event, answer)}\n`);
  }

  finish(): void {
    this.#progress?.stop();
    if (this.count > 1) this.io.stdout.write(`${CLI_MESSAGES.summary([...this.#tally])}\n`);
  }
}

function lineFor(event: string, answer: DeliveryAnswer): string {
  if (answer.status === undefined) return CLI_MESSAGES.unanswered(event, answer.reason);
  return CLI_MESSAGES.answered(answer.status, event, answer.milliseconds, answer.body);
}
