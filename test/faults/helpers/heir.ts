import { ExpressAdapter } from '@nestjs/platform-express';
import { ScalekitWebhookTester } from 'nestjs-scalekit-webhooks/testing';
import { startApp } from '../../helpers/test-app.js';
import { HOLD_NOWHERE } from './hold-points.js';
import { type Ledger, type LedgerPlace, openLedger } from './ledgers.js';
import { openQueue, type QueuePlace } from './queues.js';
import { notesOf, shopModule } from './shop.module.js';
import { undoAfterTest } from './tidy.js';
import { until } from './until.js';

/** The shop as it is started again after a crash, with all that a test wants to know of it. */
export class Heir {
  private constructor(
    readonly scalekit: ScalekitWebhookTester,
    readonly ledger: Ledger,
    private readonly notes: string,
  ) {}

  static async start(place: LedgerPlace, notes: string, queuePlace?: QueuePlace): Promise<Heir> {
    const ledger = await openLedger(place);
    undoAfterTest(() => ledger.close());
    const open = queuePlace && openQueue(queuePlace);
    if (open) undoAfterTest(() => open.queue.close());
    const shop = { ledger, notes, hold: HOLD_NOWHERE, ...(open && { transport: open.transport }) };
    const app = await startApp(() => new ExpressAdapter(), { imports: [shopModule(shop)] });
    undoAfterTest(() => app.close());
    return new Heir(new ScalekitWebhookTester(app), ledger, notes);
  }

  /** Delivers an event again until it is no longer refused because of a lease. Resolves to the last status. */
  async redeliver(event: object): Promise<number> {
    return until(
      async () => (await this.scalekit.deliver(event)).status,
      (status) => status !== 503,
    );
  }

  /** How often each handler went as far as its effect, and how many effects were committed. */
  async runsOf(eventId: string): Promise<{ plain: number; transactional?: number; effects?: number }> {
    const plain = notesOf(this.notes, 'plain', eventId);
    if (!this.ledger.effectsOf) return { plain };
    const transactional = notesOf(this.notes, 'transactional', eventId);
    return { plain, transactional, effects: await this.ledger.effectsOf(eventId) };
  }

  /** The state of each handler's row. */
  async statesOf(eventId: string): Promise<Record<string, string>> {
    const entry = await this.ledger.inbox.get({ endpoint: 'default', eventId });
    return Object.fromEntries((entry?.runs ?? []).map(({ handlerId, state }) => [handlerId, state]));
  }
}
