import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { BullMqTransport } from 'nestjs-scalekit-webhooks/bullmq';
import { RedisInboxStore } from 'nestjs-scalekit-webhooks/redis';
import { aUserCreated, type ScriptedApp, startScriptedApp } from '../../helpers/scripted-app.js';
import { describeWithService } from '../../helpers/services.js';
import { ADAPTERS } from '../../helpers/test-app.js';
import { until } from '../../helpers/until.js';

await describeWithService('redis', 'Two applications on one BullMQ queue', (url) => {
  const prefix = `test-${randomUUID()}`;
  let redis: Redis;
  let queue: Queue;

  beforeEach(() => {
    redis = new Redis(url);
    queue = new Queue('scalekit', { connection: { url }, prefix });
  });

  afterEach(async () => {
    await queue.obliterate({ force: true });
    await queue.close();
    const keys = await redis.keys(`${prefix}*`);
    if (keys.length > 0) await redis.del(keys);
    await redis.quit();
  });

  async function start(application: string, worker: boolean): Promise<ScriptedApp> {
    const [, adapter] = ADAPTERS[0] ?? [];
    if (!adapter) throw new Error('There is no adapter');
    return startScriptedApp(adapter, {
      inbox: new RedisInboxStore({ client: redis, application, keyPrefix: `${prefix}-inbox` }),
      transport: new BullMqTransport({ queue, worker }),
    });
  }

  it('put back the jobs of the other one, although endpoints and handlers have the same names', async () => {
    const event = aUserCreated();
    const web = await start('billing', false);
    const other = await start('shipping', true);

    expect((await web.scalekit.deliver(event)).status).toBe(202);
    await until(
      () => queue.getDelayedCount(),
      (count) => count === 2,
    );
    expect(other.first).not.toHaveBeenCalled();
    expect(await other.inbox.count()).toBe(0);
    await other.app.close();

    const worker = await start('billing', true);
    await until(
      () => worker.inbox.count({ state: 'done' }),
      (count) => count === 1,
    );
    await until(
      () => queue.getCompletedCount(),
      (count) => count === 2,
    );
    expect(worker.first).toHaveBeenCalledTimes(1);
  }, 20_000);
});
