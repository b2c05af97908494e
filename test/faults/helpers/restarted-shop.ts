import { ExpressAdapter } from '@nestjs/platform-express';
import { ScalekitWebhookTester } from 'nestjs-scalekit-webhooks/testing';
import { cleanUpAfterTest } from '../../helpers/cleanup.js';
import { run } from '../../helpers/running-app.js';
import { until } from '../../helpers/until.js';
import { HOLD_NOWHERE } from './hold-points.js';
import { openQueue, type QueueLocation } from './queues.js';
import { notesOf, shopModule } from './shop.module.js';
import { openStorage, type ShopStorage, type StorageLocation } from './shop-storage.js';

/** A shop that is started again after a crash, in the process of the test. It is closed when the test ends. */
export class RestartedShop {
  private constructor(
    private readonly scalekit: ScalekitWebhookTester,
    private readonly storage: ShopStorage,
    private readonly notes: string,
  ) {}

  static async start(
    location: StorageLocation,
    notes: string,
    queueLocation?: QueueLocation,
  ): Promise<RestartedShop> {
    const storage = await openStorage(location);
    cleanUpAfterTest(() => storage.close());
    const open = queueLocation && openQueue(queueLocation);
    if (open) cleanUpAfterTest(() => open.queue.close());
    const shop = { storage, notes, hold: HOLD_NOWHERE, ...(open && { transport: open.transport }) };
    const app = await run(() => new ExpressAdapter(), { imports: [shopModule(shop)] });
    return new RestartedShop(new ScalekitWebhookTester(app), storage, notes);
  }

  /** Delivers an event again until the lease of the killed process has ended. Resolves to the last status. */
  async redeliver(event: object): Promise<number> {
    return until(
      async () => (await this.scalekit.deliver(event)).status,
      (status) => status !== 503,
    );
  }

  /** How often each handler got as far as its effect, and how many effects were committed. */
  async runsOf(eventId: string): Promise<{ plain: number; transactional?: number; effects?: number }> {
    const plain = notesOf(this.notes, 'plain', eventId);
    if (!this.storage.effectsOf) return { plain };
    const transactional = notesOf(this.notes, 'transactional', eventId);
    return { plain, transactional, effects: await this.storage.effectsOf(eventId) };
  }

  /** The state of each run, by handler id. */
  async statesOf(eventId: string): Promise<Record<string, string>> {
    const entry = await this.storage.inbox.get({ endpoint: 'default', eventId });
    return Object.fromEntries((entry?.runs ?? []).map(({ handlerId, state }) => [handlerId, state]));
  }
}
