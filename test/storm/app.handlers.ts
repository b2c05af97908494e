import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { Inject, Injectable } from '@nestjs/common';
import { OnScalekitEvent, type ScalekitDelivery, type ScalekitEvent } from 'nestjs-scalekit-webhooks';
import type { TransactionalEffects } from './effects.js';
import type { Journal } from './journal.js';
import { FAILURE_RATE, PLAIN, TRANSACTIONAL } from './storm.settings.js';

/** What the handlers work with. */
export class HandlerTools {
  constructor(
    readonly journal: Journal,
    readonly seed: number,
    readonly effects?: TransactionalEffects,
  ) {}

  /** A random number that is the same for an attempt in every process. */
  draw(handlerId: string, eventId: string, attempt: number): number {
    const words = JSON.stringify([this.seed, handlerId, eventId, attempt]);
    return createHash('sha256').update(words).digest().readUInt32BE();
  }

  fails(handlerId: string, eventId: string, attempt: number): boolean {
    return this.draw(handlerId, eventId, attempt) % FAILURE_RATE === 0;
  }
}

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
    await effects?.transact(id, async (transaction, insert) => {
      failAt(0);
      await insert();
      failAt(1);
      await delivery.complete(transaction);
      failAt(2);
    });
    failAt(3);
  }
}
