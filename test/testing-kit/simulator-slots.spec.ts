import { expect, it } from '@jest/globals';
import { Slots } from '../../lib/testing/delivery-simulator.run.js';
import { deferred } from '../helpers/deferred.js';

it('Slots let a waiting retry go ahead of waiting first deliveries', async () => {
  const slots = new Slots(1);
  const order: string[] = [];
  const first = deferred();
  const enter = (name: string, isNew: boolean) => slots.run(isNew, async () => void order.push(name));

  const all = [
    slots.run(true, () => first.promise),
    enter('second', true),
    enter('third', true),
    enter('retry', false),
  ];
  first.resolve();
  await Promise.all(all);

  expect(order).toEqual(['retry', 'second', 'third']);
});
