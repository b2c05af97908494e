import { randomUUID } from 'node:crypto';
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { BullMqTransport } from '../../../lib/bullmq/index.js';
import { redisInboxHarness } from '../../helpers/redis-inbox.js';
import { serviceUrl } from '../../helpers/service-url.js';
import { type DispatcherApp, openDispatcher } from '../dispatcher.app.js';
import { distinctEvents } from '../distinct-events.js';
import type { StoreRivals } from './rivals.js';

export class BullMqRivals implements StoreRivals {
  readonly name = 'BullMQ, Redis inbox';
  readonly bareName = 'a bare queue.add';
  readonly #client = new Redis(serviceUrl('redis'), { maxRetriesPerRequest: null });
  readonly #harness = redisInboxHarness(this.#client);
  readonly #queue = new Queue(`bench-${randomUUID()}`, { connection: this.#client });
  readonly #nextEvent = distinctEvents();
  #app?: DispatcherApp;

  async open(): Promise<void> {
    const transport = new BullMqTransport({ queue: this.#queue, worker: false });
    this.#app = await openDispatcher({ inbox: this.#harness.store, transport });
  }

  async deliver(): Promise<void> {
    await this.#app?.deliver(this.#nextEvent());
  }

  async writeBare(): Promise<void> {
    await this.#queue.add('bare', { body: this.#nextEvent().toString() });
  }

  async close(): Promise<void> {
    await this.#app?.close();
    await this.#queue.obliterate({ force: true });
    await this.#queue.close();
    await this.#harness.dispose();
    this.#client.disconnect();
  }
}
