import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { type DynamicModule, Inject, Injectable } from '@nestjs/common';
import {
  type EventTransport,
  OnScalekitEvent,
  type ScalekitDelivery,
  type ScalekitEvent,
  ScalekitWebhooksModule,
} from 'nestjs-scalekit-webhooks';
import { SECRET } from '../../helpers/secrets.js';
import type { Hold } from './hold-points.js';
import type { ShopStorage } from './shop-storage.js';

/** What the handlers work with. */
interface Shop {
  readonly storage: ShopStorage;
  /** A file in which each attempt that gets as far as its effect leaves a line. */
  readonly notes: string;
  readonly hold: Hold;
  readonly transport?: EventTransport;
}

const SHOP = Symbol('shop');

/** Its effect happens outside of the inbox's database, like an e-mail. No transaction includes both. */
@Injectable()
class PlainHandler {
  constructor(@Inject(SHOP) private readonly shop: Shop) {}

  @OnScalekitEvent('user.created', { id: 'plain' })
  async handle(event: ScalekitEvent<'user.created'>): Promise<void> {
    await this.shop.hold('before the effect');
    note(this.shop, 'plain', event.id);
  }
}

/** Its effect and the record of its run commit together. */
@Injectable()
class TransactionalHandler {
  constructor(@Inject(SHOP) private readonly shop: Shop) {}

  @OnScalekitEvent('user.created', { id: 'transactional' })
  async handle(event: ScalekitEvent<'user.created'>, delivery: ScalekitDelivery): Promise<void> {
    const { storage, hold } = this.shop;
    await hold('before the effect');
    note(this.shop, 'transactional', event.id);
    await storage.addEffect?.(event.id, delivery);
    await hold('after the commit');
  }
}

/** A shop that receives `user.created`. */
export function shopModule(shop: Shop): DynamicModule {
  const { storage, transport } = shop;
  class ShopModule {}
  return {
    module: ShopModule,
    imports: [
      ScalekitWebhooksModule.forRoot({
        signingSecret: SECRET,
        inbox: storage.inbox,
        ...(transport && { transport }),
      }),
    ],
    providers: [
      { provide: SHOP, useValue: shop },
      PlainHandler,
      ...(storage.addEffect ? [TransactionalHandler] : []),
    ],
  };
}

/** How often a handler got as far as its effect for an event, in all processes. */
export function notesOf(notes: string, handlerId: string, eventId: string): number {
  const lines = existsSync(notes) ? readFileSync(notes, 'utf8').split('\n') : [];
  return lines.filter((line) => line === `${handlerId} ${eventId}`).length;
}

function note({ notes }: Shop, handlerId: string, eventId: string): void {
  appendFileSync(notes, `${handlerId} ${eventId}\n`);
}
