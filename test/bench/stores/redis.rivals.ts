import { Redis } from 'ioredis';
import type { ScalekitWebhooksOptions } from '../../../lib/index.js';
import { redisInboxHarness } from '../../helpers/redis-inbox.js';
import { serviceUrl } from '../../helpers/service-url.js';
import type { StoreRivals } from './rivals.js';

export class RedisRivals implements StoreRivals {
  readonly name = 'Redis';
  readonly bareName = 'two bare HSET';
  readonly #client = new Redis(serviceUrl('redis'));
  readonly #harness = redisInboxHarness(this.#client);
  #written = 0;

  async open(): Promise<ScalekitWebhooksOptions> {
    return { inbox: this.#harness.store };
  }

  async writeBare(payload: Buffer): Promise<void> {
    this.#written += 1;
    const key = `${this.#harness.keyPrefix}:bare:${this.#written}`;
    await this.#client.hset(key, { payload, state: 'running' });
    await this.#client.hset(key, 'state', 'done');
  }

  async close(): Promise<void> {
    await this.#harness.dispose();
    await this.#client.quit();
  }
}
