import cliProgress from 'cli-progress';
import { CLI_MESSAGES } from './cli.messages.js';
import type { CliIo } from './cli-io.js';
import type { DeliveryAnswer } from './send-delivery.js';

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
