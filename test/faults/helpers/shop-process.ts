import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { signWebhook } from 'nestjs-scalekit-webhooks/testing';
import type { HoldPoint } from './hold-points.js';
import type { LedgerPlace } from './ledgers.js';
import type { QueuePlace } from './queues.js';
import { SHOP_SECRET } from './shop.module.js';
import { undoAfterSuite } from './tidy.js';

/** What a shop in another process is told. */
export interface ShopSettings {
  readonly place: LedgerPlace;
  readonly notes: string;
  readonly holdAt?: HoldPoint;
  readonly queue?: QueuePlace;
}

/** What it tells: where it listens, or that a run stands still. */
export type ShopLine =
  | { readonly shop: number; readonly url: string }
  | { readonly shop: number; readonly held: 1 };

const RUNNER = fileURLToPath(new URL('./run-typescript.mjs', import.meta.url));
const MAIN = fileURLToPath(new URL('./shop.main.ts', import.meta.url));
const LIFETIME_MS = 60_000;

/** A process that runs shops, to be killed. */
export class ShopProcess {
  readonly #child;
  readonly #lines;
  readonly #urls: string[] = [];
  readonly #held: number[];
  #errors = '';

  constructor(private readonly shops: readonly ShopSettings[]) {
    const args = [RUNNER, MAIN, JSON.stringify(shops)];
    this.#child = spawn(process.execPath, args, { timeout: LIFETIME_MS, killSignal: 'SIGKILL' });
    this.#child.stderr.on('data', (chunk) => {
      this.#errors += chunk;
    });
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
    this.#held = shops.map(() => 0);
    undoAfterSuite(() => this.kill());
  }

  /** Resolves when all shops listen. */
  async ready(): Promise<void> {
    await this.#until(() => this.shops.every((_, shop) => this.#urls[shop] !== undefined));
  }

  /** Resolves when so many runs of each shop stand still where they were told to. */
  async held(runs: readonly number[]): Promise<void> {
    await this.#until(() => runs.every((count, shop) => (this.#held[shop] ?? 0) >= count));
  }

  /** Delivers an event. Resolves to the answer's status, or to undefined where the process is killed before it answers. */
  async deliver(shop: number, event: object): Promise<number | undefined> {
    const body = JSON.stringify(event);
    const signature = signWebhook({ payload: body, secret: SHOP_SECRET });
    const headers = { 'content-type': 'application/json', ...signature };
    try {
      return (await fetch(`${this.#urls[shop]}/webhooks/scalekit`, { method: 'POST', body, headers })).status;
    } catch {
      return undefined;
    }
  }

  /** Ends it as a crash would. */
  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exit = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await exit;
  }

  async #until(isSo: () => boolean): Promise<void> {
    while (!isSo()) {
      const { value } = await this.#lines.next();
      if (value === undefined) throw new Error(`The process ended: ${this.#errors}`);
      const line: ShopLine = JSON.parse(value);
      if ('url' in line) this.#urls[line.shop] = line.url;
      else this.#held[line.shop] = (this.#held[line.shop] ?? 0) + 1;
    }
  }
}
