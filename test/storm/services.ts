import { setTimeout as delay } from 'node:timers/promises';
import { PostgresServer } from '../helpers/postgres-server.js';
import { DURABLE, RedisServer } from '../helpers/redis-server.js';
import type { Outage } from './judge.js';
import { type StormMode, usesPostgres, usesRedis } from './storm.settings.js';

const PAUSE_MS = 300;

/** The servers that a mode needs, started for the storm alone. */
export class StormServices {
  readonly outages: Outage[] = [];
  /** Resolves when no restart is in progress. */
  restarting: Promise<void> = Promise.resolve();

  private constructor(
    readonly postgres: PostgresServer | undefined,
    readonly redis: RedisServer | undefined,
  ) {}

  static async start(mode: StormMode): Promise<StormServices> {
    const postgres = usesPostgres(mode) ? await PostgresServer.start() : undefined;
    return new StormServices(postgres, usesRedis(mode) ? await RedisServer.start(...DURABLE) : undefined);
  }

  get #servers(): (PostgresServer | RedisServer)[] {
    return [this.postgres, this.redis].filter((server) => server !== undefined);
  }

  /** Crashes each server and starts it again, in the background. */
  restart(): void {
    this.restarting = this.restarting.then(async () => {
      for (const server of this.#servers) {
        const from = Date.now();
        await server.kill();
        await server.launch();
        this.outages.push({ from, to: Date.now() });
        await delay(PAUSE_MS);
      }
    });
  }

  async stop(): Promise<void> {
    await Promise.all(this.#servers.map((server) => server.stop()));
  }
}
