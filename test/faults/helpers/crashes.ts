import { join } from 'node:path';
import { expect } from '@jest/globals';
import { createScalekitEvent } from 'nestjs-scalekit-webhooks/testing';
import { Heir } from './heir.js';
import type { HoldPoint } from './hold-points.js';
import type { LedgerPlace } from './ledgers.js';
import { ShopProcess } from './shop-process.js';
import { aDirectory } from './tidy.js';

/** Where a process can be killed as it takes a delivery. */
export type KillPoint = HoldPoint | 'after the answer';

/** How many runs stand still there, where a shop has two handlers. */
const STOPS: Partial<Record<KillPoint, number>> = { 'before the effect': 2, 'after the answer': 0 };

/** Kills a process that runs a shop for each point, when each has come to its point of one delivery. */
export async function crashAt(points: ReadonlyMap<KillPoint, LedgerPlace>) {
  const directory = await aDirectory();
  const event = createScalekitEvent('user.created');
  const shops = [...points].map(([point, place], number) => {
    const notes = join(directory, `notes-${number}`);
    return { place, notes, ...(point !== 'after the answer' && { holdAt: point }) };
  });
  const doomed = new ShopProcess(shops);
  await doomed.ready();
  const answers = shops.map((_, shop) => doomed.deliver(shop, event));
  await doomed.held([...points.keys()].map((point) => STOPS[point] ?? 1));
  const answered = [...points.keys()].indexOf('after the answer');
  await answers[answered];
  await doomed.kill();
  expect((await Promise.all(answers)).filter((status) => status !== undefined)).toHaveLength(
    answered < 0 ? 0 : 1,
  );

  /** Starts one of the shops again, delivers once more, and tells what has run in all. */
  return async (point: KillPoint) => {
    const shop = shops[[...points.keys()].indexOf(point)];
    if (!shop) throw new Error(`nothing was killed ${point}`);
    const heir = await Heir.start(shop.place, shop.notes);
    const status = await heir.redeliver(event);
    expect(new Set(Object.values(await heir.statesOf(event.id)))).toEqual(new Set(['done']));
    return { status, ...(await heir.runsOf(event.id)) };
  };
}
