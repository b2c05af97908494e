import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { InboxTimeoutError } from 'nestjs-scalekit-webhooks';
import { Batcher } from '../../../lib/inbox/batcher.js';

class RefusedError extends Error {}

describe('A batcher', () => {
  /** The batches that were sent and are not answered yet. */
  let sent: { items: readonly string[]; answer(): void; fail(error: Error): void }[];
  let batcher: Batcher<string, string>;

  beforeEach(() => {
    jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask'] });
    sent = [];
    batcher = new Batcher({
      database: 'Testbase',
      send: (items) =>
        new Promise((resolve, reject) => {
          sent.push({ items, answer: () => resolve((item) => `answer to ${item}`), fail: reject });
        }),
      keysOf: (item) => [item.replace(/ \(.*/, '')],
      bytesOf: (item) => (item.includes('large') ? 600_000 : 1),
      mayBeOfOneItem: (error) => error instanceof RefusedError,
    });
  });

  afterEach(() => {
    jest.useRealTimers();
  });

  /** Asks for an item, so that whatever is asked next has to wait. */
  function keepBusy(): Promise<unknown> {
    return batcher.ask('first');
  }

  function batches(): (readonly string[])[] {
    return sent.map(({ items }) => items);
  }

  async function settled(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
  }

  it('sends an item at once if nothing is on its way', async () => {
    const answer = batcher.ask('a');
    expect(batches()).toEqual([['a']]);

    sent[0]?.answer();

    expect(await answer).toBe('answer to a');
  });

  it('sends together what is asked while a batch is on its way', async () => {
    void keepBusy();
    const answers = Promise.all(['a', 'b', 'c'].map((item) => batcher.ask(item)));
    expect(batches()).toEqual([['first']]);

    sent[0]?.answer();
    await settled();
    expect(batches().slice(1)).toEqual([['a', 'b', 'c']]);
    sent[1]?.answer();

    expect(await answers).toEqual(['answer to a', 'answer to b', 'answer to c']);
  });

  it('puts items with the same key into different batches, in their order', async () => {
    void keepBusy();
    for (const item of ['a (1)', 'b', 'a (2)', 'c']) void batcher.ask(item);

    sent[0]?.answer();
    await settled();
    sent[1]?.answer();
    await settled();

    expect(batches().slice(1)).toEqual([['a (1)', 'b', 'c'], ['a (2)']]);
  });

  it('sends 64 items at most in a batch', async () => {
    void keepBusy();
    for (let item = 0; item < 70; item += 1) void batcher.ask(String(item));

    sent[0]?.answer();
    await settled();
    sent[1]?.answer();
    await settled();

    expect(batches().map(({ length }) => length)).toEqual([1, 64, 6]);
  });

  it('sends 1 MB at most in a batch', async () => {
    void keepBusy();
    for (const item of ['large 1', 'small', 'large 2']) void batcher.ask(item);

    sent[0]?.answer();
    await settled();
    sent[1]?.answer();
    await settled();

    expect(batches().slice(1)).toEqual([['large 1', 'small'], ['large 2']]);
  });

  it('sends each item by itself if the batch failed because of one of them', async () => {
    void keepBusy();
    const answers = Promise.allSettled(['a', 'bad', 'c'].map((item) => batcher.ask(item)));
    sent[0]?.answer();
    await settled();

    sent[1]?.fail(new RefusedError('one of them is bad'));
    await settled();
    expect(batches().slice(2)).toEqual([['a'], ['bad'], ['c']]);
    sent[2]?.answer();
    sent[3]?.fail(new RefusedError('this one'));
    sent[4]?.answer();

    expect(await answers).toMatchObject([
      { value: 'answer to a' },
      { reason: new RefusedError('this one') },
      { value: 'answer to c' },
    ]);
  });

  it('fails the batch if no item can be the cause, and goes on with the next', async () => {
    void keepBusy();
    const answers = Promise.allSettled(['a', 'b'].map((item) => batcher.ask(item)));
    sent[0]?.answer();
    await settled();

    sent[1]?.fail(new Error('connection lost'));

    expect(await answers).toMatchObject([{ status: 'rejected' }, { status: 'rejected' }]);
    void batcher.ask('c');
    expect(batches().slice(2)).toEqual([['c']]);
  });

  describe('with a batch that is not answered', () => {
    beforeEach(() => {
      keepBusy().catch(() => {});
    });

    it('no longer lets the others wait for it after 50 ms', async () => {
      batcher.ask('a').catch(() => {});
      await jest.advanceTimersByTimeAsync(49);
      expect(batches()).toHaveLength(1);

      await jest.advanceTimersByTimeAsync(1);

      expect(batches().slice(1)).toEqual([['a']]);
    });

    it('lets the next wait longer, the more of them are not answered', async () => {
      batcher.ask('a').catch(() => {});
      await jest.advanceTimersByTimeAsync(50);
      batcher.ask('b').catch(() => {});
      await jest.advanceTimersByTimeAsync(99);
      expect(batches()).toHaveLength(2);

      await jest.advanceTimersByTimeAsync(1);

      expect(batches().slice(2)).toEqual([['b']]);
    });

    it('rejects what is asked after 10 s', async () => {
      const answer = expect(batcher.ask('a')).rejects.toThrow(InboxTimeoutError);

      await jest.advanceTimersByTimeAsync(10_000);

      await answer;
    });
  });
});
