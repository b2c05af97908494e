// Handlers that make ordinary mistakes, or cannot succeed yet.
import { Inject, Injectable, NotFoundException } from '@nestjs/common';
import {
  type InboxTransaction,
  NonRetryableEventError,
  OnScalekitEvent,
  type ScalekitDelivery,
  type ScalekitEvent,
} from 'nestjs-scalekit-webhooks';
import { HandlerTools } from './app.tools.js';
import type { TransactionalEffects } from './effects.js';
import {
  CREATING,
  REFUSED_TYPE,
  REFUSING,
  SWALLOW_RATE,
  SWALLOWED_TYPES,
  SWALLOWING,
  UPDATING,
} from './storm.settings.js';

/** Some of its attempts swallow the error that aborted their transaction. The attempt has failed, although it returns. */
@Injectable()
export class Swallowing {
  constructor(@Inject(HandlerTools) private readonly tools: HandlerTools) {}

  @OnScalekitEvent(SWALLOWED_TYPES, { id: SWALLOWING })
  async handle(
    { id }: ScalekitEvent<(typeof SWALLOWED_TYPES)[number]>,
    delivery: ScalekitDelivery,
  ): Promise<void> {
    const { journal, effects } = this.tools;
    const { attempt } = delivery;
    if (!effects) return;
    journal.write('begin', SWALLOWING, id, attempt);
    const swallows = this.tools.draw(SWALLOWING, id, attempt) % SWALLOW_RATE === 0;
    if (swallows) {
      const mistake = MISTAKES[this.tools.draw('mistake', id, attempt) % MISTAKES.length];
      await mistake?.(effects, id, new Recorder(delivery));
      journal.write('swallowed', SWALLOWING, id, attempt);
      return;
    }
    await effects.transact(async (transaction) => {
      await effects.insert(transaction, SWALLOWING, id);
      await delivery.complete(transaction);
    });
  }
}

/** Swallows errors, but only once the attempt has asked for the record of its run: any earlier, nobody could know. */
class Recorder {
  #hasAsked = false;

  constructor(private readonly delivery: ScalekitDelivery) {}

  complete(transaction: InboxTransaction): Promise<void> {
    this.#hasAsked = true;
    return this.delivery.complete(transaction);
  }

  transaction(work: (transaction: InboxTransaction) => Promise<void>): Promise<void> {
    this.#hasAsked = true;
    return this.delivery.transaction(work);
  }

  async swallow(work: Promise<void>): Promise<void> {
    await work.catch((error) => {
      if (!this.#hasAsked) throw error;
    });
  }
}

type Mistake = (effects: TransactionalEffects, eventId: string, recorder: Recorder) => Promise<void>;

/** Ways to lose a transaction without a word. */
const MISTAKES: readonly Mistake[] = [
  async function failsAfterComplete(effects, eventId, recorder) {
    const transacted = effects.transact(async (transaction) => {
      await effects.insert(transaction, SWALLOWING, eventId);
      await recorder.complete(transaction);
      await recorder.swallow(effects.abort(transaction));
    });
    await recorder.swallow(transacted);
  },
  async function failsBeforeComplete(effects, eventId, recorder) {
    const transacted = effects.transact(async (transaction) => {
      await effects.insert(transaction, SWALLOWING, eventId);
      await effects.abort(transaction).catch(() => {});
      await recorder.swallow(recorder.complete(transaction));
    });
    await recorder.swallow(transacted);
  },
  async function rollsBack(effects, eventId, recorder) {
    const transacted = effects.transact(async (transaction) => {
      await effects.insert(transaction, SWALLOWING, eventId);
      await recorder.complete(transaction);
      throw new Error('the handler catches this, after the rollback');
    });
    await recorder.swallow(transacted);
  },
  async function failsInDeliveryTransaction(effects, eventId, recorder) {
    const transacted = recorder.transaction(async (transaction) => {
      await effects.insert(transaction, SWALLOWING, eventId);
      await effects.abort(transaction).catch(() => {});
    });
    await recorder.swallow(transacted);
  },
];

// A user can be updated in the storm long before it is created, and a queue counts its attempts.
const PATIENCE = { attempts: 10_000, backoff: 1000 };

/** Needs to handle `user.created` before `user.updated`, however they arrive. */
@Injectable()
export class Users {
  constructor(@Inject(HandlerTools) private readonly tools: HandlerTools) {}

  @OnScalekitEvent('user.created', { id: CREATING })
  create({ id, data }: ScalekitEvent<'user.created'>, { attempt }: ScalekitDelivery): void {
    const { journal, users } = this.tools;
    journal.write('begin', CREATING, id, attempt);
    if (this.tools.fails(CREATING, id, attempt)) throw new Error('the user cannot be created now');
    users.add(data.user?.id ?? '');
    journal.write('effect', CREATING, id, attempt);
  }

  @OnScalekitEvent('user.updated', { id: UPDATING, ...PATIENCE })
  update({ id, data }: ScalekitEvent<'user.updated'>, { attempt }: ScalekitDelivery): void {
    const { journal, users } = this.tools;
    journal.write('begin', UPDATING, id, attempt);
    if (!users.has(data.user?.id ?? '')) {
      journal.write('early', UPDATING, id, attempt);
      throw new NotFoundException('the user does not exist yet');
    }
    journal.write('effect', UPDATING, id, attempt);
  }
}

/** Its runs are dead, as they should be. */
@Injectable()
export class Refusing {
  @OnScalekitEvent(REFUSED_TYPE, { id: REFUSING })
  handle(): void {
    throw new NonRetryableEventError('this handler refuses every event');
  }
}
