import { join } from 'node:path';
import { expect } from '@jest/globals';
import { createScalekitEvent } from 'nestjs-scalekit-webhooks/testing';
import { temporaryDirectory } from '../../helpers/cleanup.js';
import type { HoldPoint } from './hold-points.js';
import { RestartedShop } from './restarted-shop.js';
import { ShopProcess } from './shop-process.js';
import type { StorageLocation } from './shop-storage.js';

/** The points at which a process can be killed while it handles a delivery. */
export type KillPoint = HoldPoint | 'after the response';

/** How many runs are held at a point, in a shop with two handlers. */
const HELD_RUNS: Partial<Record<KillPoint, number>> = { 'before the effect': 2, 'after the response': 0 };

/** A shop that is killed at a point. */
export interface DoomedShop {
  readonly point: KillPoint;
  readonly location: StorageLocation;
}

/** Starts a process that runs shops, and kills it when every shop has reached its point of a delivery. */
export async function crash<Shop extends DoomedShop>(doomed: readonly Shop[]) {
  const points = doomed.map(({ point }) => point);
  const directory = await temporaryDirectory();
  const event = createScalekitEvent('user.created');
  const shops = doomed.map(({ point, location }, number) => {
    const notes = join(directory, `notes-${number}`);
    return { location, notes, ...(point !== 'after the response' && { holdAt: point }) };
  });
  const shopProcess = new ShopProcess(shops);
  await shopProcess.ready();
  const responses = shops.map((_, shop) => shopProcess.deliver(shop, event));
  await shopProcess.held(points.map((point) => HELD_RUNS[point] ?? 1));
  await responses[points.indexOf('after the response')];
  await shopProcess.kill();
  const statuses = await Promise.all(responses);
  expect(statuses.map((status) => status !== undefined)).toEqual(
    points.map((point) => point === 'after the response'),
  );

  /** Starts one of the shops again, delivers the event again, and returns the status and how often handlers ran in all. */
  return async (isMeant: (shop: Shop) => boolean) => {
    const shop = shops[doomed.findIndex(isMeant)];
    if (!shop) throw new Error('No such shop was killed');
    const restarted = await RestartedShop.start(shop.location, shop.notes);
    const status = await restarted.redeliver(event);
    expect(new Set(Object.values(await restarted.statesOf(event.id)))).toEqual(new Set(['done']));
    return { status, ...(await restarted.runsOf(event.id)) };
  };
}
