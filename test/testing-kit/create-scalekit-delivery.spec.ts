import { describe, expect, it } from '@jest/globals';
import type { ScalekitDelivery, ScalekitEvent } from 'nestjs-scalekit-webhooks';
import { createScalekitDelivery, createScalekitEvent } from 'nestjs-scalekit-webhooks/testing';

class Seats {
  readonly taken: string[] = [];

  async take({ id }: ScalekitEvent<'user.created'>, delivery: ScalekitDelivery): Promise<string[]> {
    return delivery.transaction(async (client: { query(text: string): Promise<string> }) => [
      id,
      await client.query('UPDATE'),
      delivery.idempotencyKey,
    ]);
  }
}

describe('createScalekitDelivery', () => {
  const event = createScalekitEvent('user.created', {}, { seed: 1 });

  it('makes the second parameter of a handler', async () => {
    const delivery = createScalekitDelivery({ event, attempt: 2, tx: { query: async () => 'updated' } });

    expect(await new Seats().take(event, delivery)).toEqual([event.id, 'updated', delivery.idempotencyKey]);
    expect(delivery).toMatchObject({ endpoint: 'default', attempt: 2, headers: {}, issues: [] });
    expect(delivery.rawBody.toString()).toBe(JSON.stringify(event));
    expect(delivery.signal.aborted).toBe(false);
    await expect(delivery.complete({ query: () => 'updated' })).resolves.toBeUndefined();
  });

  it('needs no options, and has a new id each time', () => {
    const { id, attempt, receivedAt, rawBody } = createScalekitDelivery();

    expect(id).toMatch(/^msg_[0-9a-f]{32}$/);
    expect(createScalekitDelivery().id).not.toBe(id);
    expect([attempt, rawBody.toString()]).toEqual([1, '{}']);
    expect(Math.abs(Date.now() - receivedAt.getTime())).toBeLessThan(10_000);
  });

  it('has the same idempotency key for every attempt at an event, and another one for another event', () => {
    const [first, second] = [
      createScalekitDelivery({ event }),
      createScalekitDelivery({ event, attempt: 2 }),
    ];

    expect(second.idempotencyKey).toBe(first.idempotencyKey);
    expect(createScalekitDelivery().idempotencyKey).not.toBe(first.idempotencyKey);
  });

  it('says which option is missing if the handler uses a transaction', async () => {
    await expect(new Seats().take(event, createScalekitDelivery({ event }))).rejects.toThrow(
      'createScalekitDelivery({ tx: client })',
    );
  });

  it('rejects with the error of the work', async () => {
    const fails = createScalekitDelivery({ tx: {} }).transaction(() => Promise.reject(new Error('broken')));

    await expect(fails).rejects.toThrow('broken');
  });

  it.each([{ attempt: 0 }, { attempts: 1 }, { event: 'x' }, { tx: 1 }, { headers: [] }])(
    'refuses %j',
    (options) => {
      expect(() => Reflect.apply(createScalekitDelivery, undefined, [options])).toThrow(
        /attempt|event|tx|headers/,
      );
    },
  );
});
