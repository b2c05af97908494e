import { signWebhook } from 'nestjs-scalekit-webhooks/testing';
import { cleanUpAfterFile } from '../../helpers/cleanup.js';
import { SECRET } from '../../helpers/secrets.js';
import { TypeScriptProcess } from '../../helpers/typescript-process.js';
import type { HoldPoint } from './hold-points.js';
import type { QueueLocation } from './queues.js';
import type { StorageLocation } from './shop-storage.js';

/** What a shop in another process is told. */
export interface ShopSettings {
  readonly location: StorageLocation;
  readonly notes: string;
  readonly holdAt?: HoldPoint;
  readonly queue?: QueueLocation;
}

/** What the process reports: the URL of a shop, or that one of its runs is held. */
export type ShopReport =
  | { readonly shop: number; readonly url: string }
  | { readonly shop: number; readonly held: 1 };

/** A process that runs shops, in order to be killed. */
export class ShopProcess {
  readonly #process: TypeScriptProcess;
  readonly #urls: string[] = [];
  readonly #held: number[];

  constructor(private readonly shops: readonly ShopSettings[]) {
    this.#process = new TypeScriptProcess(new URL('./shop.main.ts', import.meta.url), JSON.stringify(shops));
    this.#held = shops.map(() => 0);
    cleanUpAfterFile(() => this.kill());
  }

  /** Resolves when all shops listen. */
  async ready(): Promise<void> {
    await this.#until(() => this.shops.every((_, shop) => this.#urls[shop] !== undefined));
  }

  /** Resolves when at least this many runs of each shop are held. */
  async held(runs: readonly number[]): Promise<void> {
    await this.#until(() => runs.every((count, shop) => (this.#held[shop] ?? 0) >= count));
  }

  /** Delivers an event. Resolves to the status, or to undefined if the process is killed before it responds. */
  async deliver(shop: number, event: object): Promise<number | undefined> {
    const body = JSON.stringify(event);
    const signature = signWebhook({ payload: body, secret: SECRET });
    const headers = { 'content-type': 'application/json', ...signature };
    try {
      return (await fetch(`${this.#urls[shop]}/webhooks/scalekit`, { method: 'POST', body, headers })).status;
    } catch {
      return undefined;
    }
  }

  /** Ends the process as a crash would. */
  kill(): Promise<void> {
    return this.#process.kill();
  }

  async #until(isTrue: () => boolean): Promise<void> {
    while (!isTrue()) {
      const report: ShopReport = JSON.parse(await this.#process.line());
      if ('url' in report) this.#urls[report.shop] = report.url;
      else this.#held[report.shop] = (this.#held[report.shop] ?? 0) + 1;
    }
  }
}
