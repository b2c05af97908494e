import { randomUUID } from 'node:crypto';
import { beforeEach, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { type Job, Queue } from 'bullmq';
import { BullMqTransport } from 'nestjs-scalekit-webhooks/bullmq';
import { createScalekitEvent } from 'nestjs-scalekit-webhooks/testing';
import type { QueuedRun, QueuedRunner } from '../../../lib/dispatch/event-transport.js';
import { cleanUpAfterTest } from '../../helpers/cleanup.js';
import { describeWithService } from '../../helpers/services.js';
import { until } from '../../helpers/until.js';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

await describeWithService('redis', 'a job that no process can run', (url) => {
  let queue: Queue;
  let errors: string[];

  beforeEach(() => {
    queue = new Queue('scalekit', { connection: { url }, prefix: `test-${randomUUID()}` });
    errors = [];
    jest.spyOn(Logger.prototype, 'error').mockImplementation((line) => errors.push(String(line)));
    cleanUpAfterTest(async () => {
      jest.restoreAllMocks();
      await queue.obliterate({ force: true });
      await queue.close();
    });
  });

  /** Starts a worker with one endpoint. Resolves to the runs that it was given. */
  function startWorker(
    endpoint: string,
    runner: QueuedRunner = async () => ({ state: 'done' }),
  ): QueuedRun[] {
    const runs: QueuedRun[] = [];
    const transport = new BullMqTransport({ queue, worker: { concurrency: 1 } });
    cleanUpAfterTest(() => transport.close());
    transport.work(endpoint, async (run, attempt) => {
      runs.push(run);
      return runner(run, attempt);
    });
    return runs;
  }

  async function addJobs(endpoint: string, count = 1): Promise<void> {
    const transport = new BullMqTransport({ queue, worker: false, attempts: 1 });
    for (let number = 0; number < count; number += 1) {
      const event = createScalekitEvent('user.created');
      const run = { handlerId: 'H.run', attempt: 1, execute: () => Promise.reject(new Error('not here')) };
      const started = transport.start({
        endpoint,
        event,
        rawBody: Buffer.from(JSON.stringify(event)),
        deliveryId: 'msg_1',
        receivedAt: new Date(),
        headers: {},
        leaseToken: randomUUID(),
        runs: [run],
      });
      await Promise.all(started);
    }
  }

  /** Changes the only job, so that it has been waiting for a process for this long. */
  async function letWait(ms: number): Promise<void> {
    const [job] = await queue.getJobs();
    await job?.updateData({ ...job.data, unrunnableSince: new Date(Date.now() - ms).toISOString() });
  }

  const whenPutBack = (count = 1) =>
    until(
      () => queue.getDelayed(),
      (jobs: Job[]) => jobs.length === count,
    );

  it('because they do not have its endpoint does not hold up other jobs, and is logged once', async () => {
    await addJobs('gone', 100);
    await addJobs('here');
    const runs = startWorker('here');

    await until(
      () => runs.length,
      (count) => count === 1,
      5000,
    );
    expect(errors).toEqual([expect.stringContaining('This process has no endpoint "gone"')]);
  });

  it('waits as long as it has waited before, up to a minute', async () => {
    await addJobs('gone');
    await queue.pause();
    startWorker('here');
    for (const [waitedMs, delayMs] of [
      [0, 1000],
      [8000, 8000],
      [50 * MINUTE_MS, MINUTE_MS],
    ] as const) {
      await letWait(waitedMs);
      await queue.resume();
      const [job] = await whenPutBack();
      expect(job?.delay).toBeGreaterThanOrEqual(delayMs / 2 - 100);
      expect(job?.delay).toBeLessThanOrEqual(delayMs + 200);
      await queue.pause();
      await job?.promote();
    }
    expect(await queue.getFailedCount()).toBe(0);
  });

  it('fails after an hour, and says what to do', async () => {
    await addJobs('gone');
    await letWait(HOUR_MS);
    startWorker('here');

    const [job] = await until(
      () => queue.getFailed(),
      (jobs: Job[]) => jobs.length === 1,
    );
    expect(job?.failedReason).toMatch(
      /No process could run the job for an hour.*"gone".*Add the endpoint.*retry/,
    );
    expect(errors).toEqual([expect.stringContaining('for an hour')]);
  });

  it('runs when it is retried once a process has its endpoint', async () => {
    await addJobs('gone');
    await letWait(HOUR_MS);
    startWorker('here');
    const [job] = await until(
      () => queue.getFailed(),
      (jobs: Job[]) => jobs.length === 1,
    );

    const runs = startWorker('gone');
    await job?.retry();
    await until(
      () => runs.length,
      (count) => count === 1,
    );
  });

  it('begins a new hour when a process had its endpoint meanwhile', async () => {
    await addJobs('moved');
    await letWait(HOUR_MS - 1);
    const runs = startWorker('moved');
    await until(
      () => queue.getCompletedCount(),
      (count) => count === 1,
    );

    expect(runs).toHaveLength(1);
    const [job] = await queue.getCompleted();
    expect(job?.data).not.toHaveProperty('unrunnableSince');
  });

  it('because its event cannot be read waits for another release, and fails after an hour', async () => {
    await addJobs('here');
    const [job] = await queue.getJobs();
    startWorker('here', async () => {
      throw new Error('unreadable');
    });
    await whenPutBack();
    expect(errors).toEqual([expect.stringContaining('cannot be read')]);

    await letWait(HOUR_MS);
    await job?.promote();
    const [failed] = await until(
      () => queue.getFailed(),
      (jobs: Job[]) => jobs.length === 1,
    );
    expect(failed?.failedReason).toMatch(/Replay the event/);
  });
});
