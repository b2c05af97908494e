import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import type { DynamicModule } from '@nestjs/common';
import { Inject, Injectable } from '@nestjs/common';
import {
  type EventTransport,
  OnScalekitEvent,
  type ScalekitDelivery,
  type ScalekitEvent,
  ScalekitWebhooksModule,
} from 'nestjs-scalekit-webhooks';
import type { Hold } from './hold-points.js';
import type { Ledger } from './ledgers.js';

export const SHOP_SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;

/** What the handlers work with. */
export interface Shop {
  readonly ledger: Ledger;
  /** A file of lines: the effects of the plain handler, and the runs of the other one. */
  readonly notes: string;
  readonly hold: Hold;
  readonly transport?: EventTransport;
}

const SHOP = Symbol('shop');

/** Its effect is out in the world: no transaction holds it together with its row in the ledger. */
@Injectable()
export class PlainHandler {
  constructor(@Inject(SHOP) private readonly shop: Shop) {}

  @OnScalekitEvent('user.created', { id: 'plain' })
  async handle(event: ScalekitEvent<'user.created'>): Promise<void> {
    await this.shop.hold('before the effect');
    note(this.shop, 'plain', event.id);
  }
}

/** Its effect and its row in the ledger commit together. */
@Injectable()
export class TransactionalHandler {
  constructor(@Inject(SHOP) private readonly shop: Shop) {}

  @OnScalekitEvent('user.created', { id: 'transactional' })
  async handle(event: ScalekitEvent<'user.created'>, delivery: ScalekitDelivery): Promise<void> {
    const { ledger, hold } = this.shop;
    await hold('before the effect');
    note(this.shop, 'transactional', event.id);
    await ledger.addEffect?.(event.id, async (transaction) => {
      await delivery.complete(transaction);
      await hold('before the commit');
    });
    await hold('after the commit');
  }
}

/** A shop that receives `user.created`. */
export function shopModule(shop: Shop): DynamicModule {
  const { ledger, transport } = shop;
  class ShopModule {}
  return {
    module: ShopModule,
    imports: [
      ScalekitWebhooksModule.forRoot({
        signingSecret: SHOP_SECRET,
        inbox: ledger.inbox,
        ...(transport && { transport }),
      }),
    ],
    providers: [
      { provide: SHOP, useValue: shop },
      PlainHandler,
      ...(ledger.addEffect ? [TransactionalHandler] : []),
    ],
  };
}

/** How often a handler went as far as its effect for an event, in all processes. */
export function notesOf(notes: string, handlerId: string, eventId: string): number {
  const lines = existsSync(notes) ? readFileSync(notes, 'utf8').split('\n') : [];
  return lines.filter((line) => line === `${handlerId} ${eventId}`).length;
}

function note({ notes }: Shop, handlerId: string, eventId: string): void {
  appendFileSync(notes, `${handlerId} ${eventId}\n`);
}
