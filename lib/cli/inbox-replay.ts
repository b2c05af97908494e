import type { InboxEntry, InboxFilter, InboxKey, InboxStore } from '../inbox/inbox-store.js';
import { inboxEntries } from '../replay/scalekit-inbox.js';
import { signWebhook } from '../verify/sign-webhook.js';
import type { SigningSecret } from '../verify/signing-secret.js';
import { CliFailureError } from './cli.errors.js';
import { CLI_MESSAGES } from './cli.messages.js';
import type { CliIo } from './cli-io.js';
import { onOneLine } from './printable.js';
import { type DeliveryAnswer, DeliveryReport, sendDelivery } from './send-delivery.js';

/** Runs a task `count` times, never more than `limit` at once. */
export async function runBounded(count: number, limit: number, task: () => Promise<void>): Promise<void> {
  let started = 0;
  const worker = async () => {
    while (started < count) {
      started += 1;
      await task();
    }
  };
  await Promise.all(Array.from({ length: Math.min(limit, count) }, worker));
}

/** What a replay works with. */
interface InboxReplayOptions {
  readonly url: URL;
  readonly secret: SigningSecret;
  /** The handlers to reopen; undefined: all that are not done. */
  readonly handlers?: readonly string[];
  readonly io: CliIo;
}

const CONCURRENCY = 4;

/** Lets handlers run once more, and posts their events to the application. Each method tells if all went well. */
export class InboxReplay {
  constructor(
    private readonly store: InboxStore,
    private readonly options: InboxReplayOptions,
  ) {}

  async one(key: InboxKey): Promise<boolean> {
    const entry = await this.store.get(key);
    if (!entry) throw new CliFailureError(CLI_MESSAGES.eventUnknown(key.eventId, key.endpoint));
    const report = new DeliveryReport(this.options.io, 1);
    const answer = await this.#send(entry);
    report.add(nameOf(entry), answer);
    report.finish();
    return isSuccess(answer);
  }

  async all(filter: InboxFilter, limit: number): Promise<boolean> {
    const { io } = this.options;
    const total = Math.min(await this.store.count(filter), limit);
    if (total === 0) io.stderr.write(`${CLI_MESSAGES.noEntries}\n`);
    const entries = inboxEntries(this.store, filter, total);
    const report = new DeliveryReport(io, total);
    let [isSuccessful, isStopped] = [true, false];
    const next = async () => {
      const { value: entry } = isStopped ? { value: undefined } : await entries.next();
      if (!entry) return;
      const answer = await this.#send(entry);
      report.add(nameOf(entry), answer);
      isSuccessful &&= isSuccess(answer);
      isStopped ||= isElsewhere(answer);
    };
    // The first goes alone: where no application takes it, the others keep their state.
    try {
      await runBounded(Math.min(total, 1), 1, next);
      await runBounded(total - 1, CONCURRENCY, next);
    } finally {
      report.finish();
    }
    if (isStopped) io.stderr.write(`${CLI_MESSAGES.replayStopped}\n`);
    return isSuccessful;
  }

  async #send(key: InboxKey): Promise<DeliveryAnswer> {
    const { url, secret, handlers } = this.options;
    const payload = await this.store.payload(key);
    if (!payload) return { reason: CLI_MESSAGES.payloadMissing };
    const reopened = await this.store.reopen(key, handlers);
    const post = () => sendDelivery(url, payload, signWebhook({ payload, secret }));
    const answer = await post();
    // A delivery that was in progress may have answered for this one, without running what was reopened.
    return isSuccess(answer) && (await this.#isWaiting(key, reopened)) ? post() : answer;
  }

  async #isWaiting(key: InboxKey, handlerIds: readonly string[]): Promise<boolean> {
    if (handlerIds.length === 0) return false;
    const entry = await this.store.get(key);
    const waiting = entry?.runs.filter(({ state }) => state === 'failed') ?? [];
    return waiting.some(({ handlerId }) => handlerIds.includes(handlerId));
  }
}

function nameOf({ type, eventId }: InboxEntry): string {
  return onOneLine(`${type} ${eventId}`);
}

function isSuccess({ status }: DeliveryAnswer): boolean {
  return status !== undefined && status >= 200 && status <= 299;
}

/** Whether this is no answer of an endpoint that took the event: the URL, the secret or the application is wrong. */
function isElsewhere(answer: DeliveryAnswer): boolean {
  if (answer.status === undefined) return answer.reason !== CLI_MESSAGES.payloadMissing;
  return answer.status >= 300 && answer.status <= 499 && answer.status !== 422;
}
