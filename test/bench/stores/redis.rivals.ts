import { Redis } from 'ioredis';
import { redisInboxHarness } from '../../helpers/redis-inbox.js';
import { serviceUrl } from '../../helpers/service-url.js';
import { type DispatcherApp, openDispatcher } from '../dispatcher.app.js';
import { distinctEvents } from '../distinct-events.js';
import type { StoreRivals } from './rivals.js';

export class RedisRivals implements StoreRivals {
  readonly name = 'Redis';
  readonly bareName = 'two bare HSET';
  readonly #client = new Redis(serviceUrl('redis'));
  readonly #harness = redisInboxHarness(this.#client);
  readonly #nextEvent = distinctEvents();
  #app?: DispatcherApp;
  #written = 0;

  async open(): Promise<void> {
    this.#app = await openDispatcher({ inbox: this.#harness.store });
  }

  async deliver(): Promise<void> {
    await this.#app?.deliver(this.#nextEvent());
  }

  async writeBare(): Promise<void> {
    this.#written += 1;
    const key = `${this.#harness.keyPrefix}:bare:${this.#written}`;
    await this.#client.hset(key, { payload: this.#nextEvent(), state: 'running' });
    await this.#client.hset(key, 'state', 'done');
  }

  async close(): Promise<void> {
    await this.#app?.close();
    await this.#harness.dispose();
    await this.#client.quit();
  }
}
