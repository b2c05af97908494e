import { setTimeout as delay } from 'node:timers/promises';
import { Inject, Injectable } from '@nestjs/common';
import {
  type InboxTransaction,
  OnScalekitEvent,
  type ScalekitDelivery,
  type ScalekitEvent,
} from 'nestjs-scalekit-webhooks';
import { HandlerTools } from './app.tools.js';
import type { TransactionalEffects } from './effects.js';
import { ORDERED, PLAIN, TRANSACTIONAL } from './storm.settings.js';

const WORK_MS = 3;
const FAILURE = 'one attempt in five fails';

/** A handler without a transaction. A kill can come between its effect and the record of its run. */
@Injectable()
export class Plain {
  constructor(@Inject(HandlerTools) private readonly tools: HandlerTools) {}

  @OnScalekitEvent('*', { id: PLAIN })
  async handle({ id }: ScalekitEvent<'*'>, { attempt }: ScalekitDelivery): Promise<void> {
    const { journal } = this.tools;
    journal.write('begin', PLAIN, id, attempt);
    await delay(WORK_MS);
    if (this.tools.fails(PLAIN, id, attempt)) throw new Error(FAILURE);
    journal.write('effect', PLAIN, id, attempt);
    await delay(WORK_MS);
  }
}

/** A handler whose effect commits together with the record of its run. It can fail at any step. */
@Injectable()
export class Transactional {
  constructor(@Inject(HandlerTools) private readonly tools: HandlerTools) {}

  @OnScalekitEvent('*', { id: TRANSACTIONAL })
  async handle({ id }: ScalekitEvent<'*'>, delivery: ScalekitDelivery): Promise<void> {
    const { journal, effects } = this.tools;
    const { attempt } = delivery;
    journal.write('begin', TRANSACTIONAL, id, attempt);
    const fails = this.tools.fails(TRANSACTIONAL, id, attempt);
    const place = this.tools.draw('place', id, attempt) % 4;
    const failAt = (here: number) => {
      if (fails && place === here) throw new Error(FAILURE);
    };
    const opensItself = this.tools.draw('opens', id, attempt) % 2 === 0;
    await inTransaction(opensItself, effects, delivery, async (transaction, complete) => {
      failAt(0);
      await effects?.insert(transaction, TRANSACTIONAL, id);
      failAt(1);
      await complete();
      failAt(2);
    });
    failAt(3);
  }
}

/** Handles the events of an entity one at a time, oldest first. Only for runs that are taken from the inbox. */
@Injectable()
export class Ordered {
  constructor(@Inject(HandlerTools) private readonly tools: HandlerTools) {}

  @OnScalekitEvent('*', { id: ORDERED, order: 'entity' })
  async handle({ id }: ScalekitEvent<'*'>, delivery: ScalekitDelivery): Promise<void> {
    const { journal, effects } = this.tools;
    const { attempt } = delivery;
    journal.write('begin', ORDERED, id, attempt);
    await delay(WORK_MS);
    await delivery.transaction(async (transaction: InboxTransaction) => {
      await effects?.insert(transaction, ORDERED, id);
      if (this.tools.fails(ORDERED, id, attempt)) throw new Error(FAILURE);
      journal.write('committing', ORDERED, id, attempt);
    });
  }
}

/**
 * Runs `work` in a transaction that the handler opens itself, or in one of `delivery.transaction`, which needs no
 * `complete`.
 */
async function inTransaction(
  opensItself: boolean,
  effects: TransactionalEffects | undefined,
  delivery: ScalekitDelivery,
  work: (transaction: InboxTransaction, complete: () => Promise<void>) => Promise<void>,
): Promise<void> {
  if (opensItself) {
    await effects?.transact((transaction) => work(transaction, () => delivery.complete(transaction)));
  } else {
    await delivery.transaction((transaction: InboxTransaction) => work(transaction, async () => {}));
  }
}
