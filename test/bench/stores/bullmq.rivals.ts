import { randomUUID } from 'node:crypto';
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { BullMqTransport } from '../../../lib/bullmq/index.js';
import type { ScalekitWebhooksOptions } from '../../../lib/index.js';
import { redisInboxHarness } from '../../helpers/redis-inbox.js';
import { serviceUrl } from '../../helpers/service-url.js';
import type { StoreRivals } from './rivals.js';

export class BullMqRivals implements StoreRivals {
  readonly name = 'BullMQ, Redis inbox';
  readonly bareName = 'a bare queue.add';
  readonly #client = new Redis(serviceUrl('redis'), { maxRetriesPerRequest: null });
  readonly #harness = redisInboxHarness(this.#client);
  readonly #queue = new Queue(`bench-${randomUUID()}`, { connection: this.#client });

  async open(): Promise<ScalekitWebhooksOptions> {
    const transport = new BullMqTransport({ queue: this.#queue, worker: false });
    return { inbox: this.#harness.store, transport };
  }

  async writeBare(payload: Buffer): Promise<void> {
    await this.#queue.add('bare', { body: payload.toString() });
  }

  async close(): Promise<void> {
    await this.#queue.obliterate({ force: true });
    await this.#queue.close();
    await this.#harness.dispose();
    this.#client.disconnect();
  }
}
