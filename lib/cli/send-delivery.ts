import cliProgress from 'cli-progress';
import { sanitizeLine } from '../errors/safe-text.js';
import { signWebhook } from '../verify/signature.js';
import type { SignatureScheme } from '../verify/signature-headers.js';
import type { SigningSecret } from '../verify/signing-secret.js';
import { CLI_MESSAGES } from './cli.messages.js';
import { type CliIo, errorField } from './cli-io.js';

const TIMEOUT_SECONDS = 30;
const SHOWN_BODY_LENGTH = 120;
const PROGRESS_BAR_ABOVE = 20;

/** Where to send a delivery, and how to sign it. */
export interface DeliveryTarget {
  readonly url: URL;
  readonly secret: SigningSecret;
  /** @default 'standard' */
  readonly scheme?: SignatureScheme;
  /** The `webhook-id`. By default, a new one. */
  readonly id?: string;
}

/** The response to a delivery: a status, or the reason why there is none. */
export type DeliveryResponse =
  | {
      readonly status: number;
      readonly body: string;
      readonly milliseconds: number;
      /** Undefined if something other than the endpoint answered. */
      readonly endpoint?: EndpointAnswer | undefined;
      /** Why the endpoint did not handle the event, and what to do. */
      readonly advice?: string | undefined;
    }
  | { readonly status?: undefined; readonly reason: string };

/** Signs and sends one event. Like Scalekit, it does not follow redirects. */
export async function sendDelivery(
  payload: string | Uint8Array,
  { url, secret, scheme, id }: DeliveryTarget,
): Promise<DeliveryResponse> {
  const started = performance.now();
  try {
    const response = await fetch(url, {
      method: 'POST',
      body: payload,
      headers: { 'content-type': 'application/json', ...signWebhook({ payload, secret, scheme, id }) },
      redirect: 'manual',
      signal: AbortSignal.timeout(TIMEOUT_SECONDS * 1000),
    });
    const text = await response.text();
    const answer = {
      status: response.status,
      text,
      contentType: response.headers.get('content-type') ?? '',
      location: response.headers.get('location') ?? undefined,
    };
    return {
      status: response.status,
      body: sanitizeLine(text.slice(0, SHOWN_BODY_LENGTH)),
      milliseconds: Math.round(performance.now() - started),
      endpoint: readEndpointAnswer(answer),
      advice: adviceFor(answer, url),
    };
  } catch (error) {
    return { reason: explainFailure(error, url) };
  }
}

function explainFailure(error: unknown, { origin }: URL): string {
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

/** Whether the endpoint itself acknowledged the event. */
export function isSuccess(response: DeliveryResponse): boolean {
  const { status } = response;
  if (status === undefined || status < 200 || status > 299) return false;
  return response.endpoint?.received === true;
}

/** Works on the items in order, at most `limit` of them at a time. */
export async function forEachConcurrently<T>(
  items: IterableIterator<T>,
  limit: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  // The workers share the iterator, so each item goes to one of them.
  const worker = async () => {
    for (const item of items) await work(item);
  };
  await Promise.all(Array.from({ length: limit }, worker));
}

/** Prints each response on one line. On a terminal, many deliveries get a progress bar instead. */
export class DeliveryReport {
  readonly #tally = new Map<string, number>();
  readonly #advice = new Set<string>();
  readonly #progress?: cliProgress.SingleBar;
  #allSucceeded = true;

  constructor(
    private readonly io: CliIo,
    private readonly count: number,
  ) {
    if (count <= PROGRESS_BAR_ABOVE || !io.stderr.isTTY) return;
    this.#progress = new cliProgress.SingleBar(
      { stream: io.stderr, format: 'Sending {bar} {value}/{total}, {eta_formatted} left' },
      cliProgress.Presets.shades_classic,
    );
    this.#progress.start(count, 0);
  }

  /** Whether the endpoint acknowledged every event so far. */
  get allSucceeded(): boolean {
    return this.#allSucceeded;
  }

  add(event: string, response: DeliveryResponse): void {
    this.#allSucceeded &&= isSuccess(response);
    if (response.status !== undefined && response.advice !== undefined) this.#advice.add(response.advice);
    const key = response.status === undefined ? response.reason : String(response.status);
    this.#tally.set(key, (this.#tally.get(key) ?? 0) + 1);
    if (this.#progress) this.#progress.increment();
    else this.io.stdout.write(`${lineFor(event, response)}\n`);
  }

  /** Prints how many deliveries got which response, if there was more than one, and what to do. */
  finish(): void {
    this.#progress?.stop();
    for (const advice of this.#advice) this.io.stderr.write(`${sanitizeLine(advice)}\n`);
    if (this.count > 1) this.io.stdout.write(`${CLI_MESSAGES.summary([...this.#tally])}\n`);
  }
}

/** A response on one line. */
export function lineFor(event: string, response: DeliveryResponse): string {
  if (response.status === undefined) return CLI_MESSAGES.unanswered(event, response.reason);
  return CLI_MESSAGES.answered(response.status, event, response.milliseconds, response.body);
}

/** A response, whoever sent it. */
export interface HttpAnswer {
  readonly status: number;
  readonly text: string;
  readonly contentType: string;
  readonly location?: string;
}

/** What the endpoint itself says in the body of a response. */
export interface EndpointAnswer {
  readonly received: boolean;
  /** What happened to a replay that the endpoint was asked for: `done`, or why it was not possible. */
  readonly replay?: string;
}

/** The endpoint's answer, or undefined if something else answered: a guard, another route, a proxy. */
export function readEndpointAnswer({ text }: HttpAnswer): EndpointAnswer | undefined {
  const [, received] = /^\s*\{\s*"received"\s*:\s*(true|false)\b/.exec(text) ?? [];
  const [, replay] = /"replay"\s*:\s*"(\w+)"/.exec(text) ?? [];
  if (received === undefined) return undefined;
  return { received: received === 'true', ...(replay !== undefined && { replay }) };
}

/**
 * Why a response means that the endpoint did not handle the event, and what to do. Undefined if the reason is the event
 * itself.
 */
export function adviceFor(answer: HttpAnswer, url: URL): string | undefined {
  const { status, text, contentType, location } = answer;
  if (readEndpointAnswer(answer)) return status === 401 ? CLI_MESSAGES.signatureRefused : undefined;
  if (status >= 300 && status <= 399) return CLI_MESSAGES.redirected(location);
  if (status === 404 || status === 405) return CLI_MESSAGES.noRoute(url.pathname);
  if (status === 401 || status === 403) return CLI_MESSAGES.guarded;
  if (status === 429) return CLI_MESSAGES.throttled;
  if (/html/i.test(contentType) || /^\s*</.test(text)) return CLI_MESSAGES.htmlPage(url.origin);
  return CLI_MESSAGES.notTheEndpoint(url.pathname);
}
