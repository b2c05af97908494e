import { setTimeout as delay } from 'node:timers/promises';
import type { Outage } from './judge.js';
import type { OwnServer } from './own-server.js';
import { StormPostgres } from './postgres.server.js';
import { StormRedis } from './redis.server.js';
import { type StormMode, usesPostgres, usesRedis } from './storm.settings.js';

const DOWN_MS = 300;

/** The servers that a mode needs, of the storm's own. */
export class StormServices {
  readonly outages: Outage[] = [];
  /** A restart under way, if any. */
  restarting: Promise<void> = Promise.resolve();

  private constructor(
    readonly postgres: StormPostgres | undefined,
    readonly redis: StormRedis | undefined,
  ) {}

  static async start(mode: StormMode): Promise<StormServices> {
    const postgres = usesPostgres(mode) ? await StormPostgres.start() : undefined;
    return new StormServices(postgres, usesRedis(mode) ? await StormRedis.start() : undefined);
  }

  get #servers(): OwnServer[] {
    return [this.postgres, this.redis].filter((server) => server !== undefined);
  }

  /** Crashes every server once and starts it again; not to be awaited by what goes on meanwhile. */
  restart(): void {
    this.restarting = this.restarting.then(async () => {
      for (const server of this.#servers) {
        const from = Date.now();
        await server.crashAndRestart();
        this.outages.push({ from, to: Date.now() });
        await delay(DOWN_MS);
      }
    });
  }

  async stop(): Promise<void> {
    await Promise.all(this.#servers.map((server) => server.stop()));
  }
}
