import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { Queue } from 'bullmq';
import { BullMqTransport } from 'nestjs-scalekit-webhooks/bullmq';
import { createScalekitEvent } from 'nestjs-scalekit-webhooks/testing';
import type { QueuedRunEnd } from '../../../lib/dispatch/event-transport.js';
import { type Deferred, deferred } from '../../helpers/deferred.js';
import { describeWithService } from '../../helpers/services.js';
import { until } from '../../helpers/until.js';

const DONE: QueuedRunEnd = { state: 'done' };

await describeWithService('redis', 'two BullMQ transports on one queue', (url) => {
  let queue: Queue;
  let eu: BullMqTransport;
  let us: BullMqTransport;
  const runsOfEu: Deferred<QueuedRunEnd>[] = [];

  beforeEach(async () => {
    queue = new Queue('scalekit', { connection: { url }, prefix: `test-${randomUUID()}` });
    [eu, us] = [newTransport(), newTransport()];
    eu.work('eu', () => {
      const run = deferred<QueuedRunEnd>();
      runsOfEu.push(run);
      return run.promise;
    });
    await startRunOfEu();
    us.work('us', async () => DONE);
    // The worker of `eu` is busy, so the worker of `us` takes this one.
    await startRunOfEu();
  });

  afterEach(async () => {
    for (const run of runsOfEu.splice(0)) run.resolve(DONE);
    await Promise.all([eu.close(), us.close()]);
    await queue.obliterate({ force: true });
    await queue.close();
  });

  async function startRunOfEu(): Promise<void> {
    const running = runsOfEu.length;
    await Promise.all(eu.start(aBatch()));
    await until(
      () => runsOfEu.length,
      (count) => count === running + 1,
    );
  }

  function newTransport(): BullMqTransport {
    return new BullMqTransport({ queue, worker: { concurrency: 1 } });
  }

  function aBatch() {
    const event = createScalekitEvent('user.created');
    return {
      endpoint: 'eu',
      event,
      rawBody: Buffer.from(JSON.stringify(event)),
      deliveryId: 'msg_1',
      receivedAt: new Date(),
      headers: {},
      leaseToken: randomUUID(),
      runs: [
        {
          handlerId: 'Handlers.run',
          attempt: 1,
          execute: async () => ({ handlerId: 'Handlers.run', state: 'done' as const }),
        },
      ],
    };
  }

  it.each(['eu', 'us'] as const)(
    'let %s close only when all runs that involve it are finished',
    async (name) => {
      let isClosed = false;
      const closed = { eu, us }[name].close().then(() => {
        isClosed = true;
      });
      const [ofItsOwnWorker, ofTheOtherWorker] = runsOfEu;
      ofItsOwnWorker?.resolve(DONE);
      await until(
        () => queue.getCompletedCount(),
        (count) => count === 1,
      );
      expect(isClosed).toBe(false);

      ofTheOtherWorker?.resolve(DONE);
      await closed;
      await until(
        () => queue.getCompletedCount(),
        (count) => count === 2,
      );
      expect(await queue.getFailedCount()).toBe(0);
    },
  );

  it('put a job of the closing transport back for another process', async () => {
    const closed = eu.close();
    const [added] = await Promise.all(us.start(aBatch()));
    expect(added).toEqual({ handlerId: 'Handlers.run', state: 'queued' });
    for (const run of runsOfEu) run.resolve(DONE);
    await until(
      () => queue.getDelayedCount(),
      (count) => count === 1,
    );
    await closed;

    expect(runsOfEu).toHaveLength(2);
    expect(await queue.getFailedCount()).toBe(0);
  });
});
