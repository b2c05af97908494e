import './helpers/timeout.js';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { Queue } from 'bullmq';
import { createScalekitEvent } from 'nestjs-scalekit-webhooks/testing';
import { cleanUpAfterFile, temporaryDirectory } from '../helpers/cleanup.js';
import { describeWithService } from '../helpers/services.js';
import { until } from '../helpers/until.js';
import type { HoldPoint } from './helpers/hold-points.js';
import { RestartedShop } from './helpers/restarted-shop.js';
import { ShopProcess } from './helpers/shop-process.js';
import type { StorageLocation } from './helpers/shop-storage.js';

const ONCE = { plain: 1, transactional: 1, effects: 1 };
const event = createScalekitEvent('user.created');

/** A shop with a queue and an inbox of its own, which one process after another runs. */
class QueueShop {
  readonly prefix = `test-${randomUUID()}`;
  readonly queue: Queue;
  readonly location: StorageLocation;
  readonly notes: string;

  constructor(
    private readonly url: string,
    directory: string,
  ) {
    this.location = { kind: 'sqlite', file: join(directory, `${this.prefix}.db`) };
    this.notes = join(directory, `${this.prefix}.notes`);
    this.queue = new Queue('scalekit', { connection: { url }, prefix: this.prefix });
    cleanUpAfterFile(async () => {
      await this.queue.obliterate({ force: true });
      await this.queue.close();
    });
  }

  start(worker: boolean): Promise<RestartedShop> {
    return RestartedShop.start(this.location, this.notes, { url: this.url, prefix: this.prefix, worker });
  }

  settings(holdAt: HoldPoint, worker: boolean) {
    const { location, notes, url, prefix } = this;
    return { location, notes, holdAt, queue: { url, prefix, worker } };
  }

  async countJobs(): Promise<number> {
    return this.queue.getJobCountByTypes('wait', 'active', 'delayed', 'completed', 'failed');
  }

  /** Waits until no job is left. Resolves to how often the handlers ran. */
  async whenDrained(restarted: RestartedShop) {
    await until(
      () => this.queue.getJobCountByTypes('wait', 'active', 'delayed'),
      (count) => count === 0,
    );
    expect(await restarted.statesOf(event.id)).toEqual({ plain: 'done', transactional: 'done' });
    expect(await this.queue.getFailedCount()).toBe(0);
    return restarted.runsOf(event.id);
  }
}

await describeWithService('redis', 'With a queue, after a crash', (url) => {
  describe('during a delivery', () => {
    const POINTS = ['before the queue has it', 'after the queue has it', 'after the settlement'] as const;
    const shops = new Map<string, QueueShop>();
    const shopOf = (point: (typeof POINTS)[number] | 'twice') => shops.get(point) as QueueShop;

    beforeAll(async () => {
      const directory = await temporaryDirectory();
      for (const point of [...POINTS, 'twice']) shops.set(point, new QueueShop(url, directory));
      const settings = POINTS.map((point) => shopOf(point).settings(point, false));
      const shopProcess = new ShopProcess([
        ...settings,
        shopOf('twice').settings('after the queue has it', false),
      ]);
      await shopProcess.ready();
      const responses = [...shops].map((_, shop) => shopProcess.deliver(shop, event));
      await shopProcess.held([1, 1, 1, 1]);
      await shopProcess.kill();
      expect(await Promise.all(responses)).toEqual([undefined, undefined, undefined, undefined]);
    });

    it('between claim and queue, there is no job, and the retry adds the jobs', async () => {
      const shop = shopOf('before the queue has it');
      expect(await shop.countJobs()).toBe(0);
      const restarted = await shop.start(true);

      expect(await restarted.redeliver(event)).toBe(202);
      expect(await shop.whenDrained(restarted)).toEqual(ONCE);
    });

    it('between queue and settlement, the jobs run without a retry', async () => {
      const shop = shopOf('after the queue has it');
      const restarted = await shop.start(true);

      expect(await shop.whenDrained(restarted)).toEqual(ONCE);
      expect(await restarted.redeliver(event)).toBe(200);
    });

    it('between queue and settlement, the retry may add the jobs again, and each handler still runs once', async () => {
      const shop = shopOf('twice');
      const web = await shop.start(false);

      expect(await web.redeliver(event)).toBe(202);
      expect(await shop.countJobs()).toBe(4);
      expect(await shop.whenDrained(await shop.start(true))).toEqual(ONCE);
    });

    it('between settlement and response, the retry is accepted and adds no job', async () => {
      const shop = shopOf('after the settlement');
      const web = await shop.start(false);

      expect(await web.redeliver(event)).toBe(202);
      expect(await shop.countJobs()).toBe(2);
      expect(await shop.whenDrained(await shop.start(true))).toEqual(ONCE);
    });
  });

  describe('during a job', () => {
    const POINTS = [
      'before the claim',
      'after the claim',
      'before the settlement',
      'after the settlement',
      'before the effect',
    ] as const;
    const shops = new Map<string, QueueShop>();
    const shopOf = (point: (typeof POINTS)[number]) => shops.get(point) as QueueShop;

    beforeAll(async () => {
      const directory = await temporaryDirectory();
      for (const point of POINTS) {
        const shop = new QueueShop(url, directory);
        shops.set(point, shop);
        expect(await (await shop.start(false)).redeliver(event)).toBe(202);
      }
      const shopProcess = new ShopProcess(POINTS.map((point) => shopOf(point).settings(point, true)));
      await shopProcess.held(POINTS.map(() => 2));
      await shopProcess.kill();
    });

    it('before the claim, another worker takes over the job', async () => {
      const shop = shopOf('before the claim');

      expect(await shop.whenDrained(await shop.start(true))).toEqual(ONCE);
    });

    it('between claim and handler, another worker takes over the job once the lease has ended', async () => {
      const shop = shopOf('after the claim');

      expect(await shop.whenDrained(await shop.start(true))).toEqual(ONCE);
    });

    it('between handler and settlement, only the run that committed with its effect is not repeated', async () => {
      const shop = shopOf('before the settlement');

      expect(await shop.whenDrained(await shop.start(true))).toEqual({
        plain: 2,
        transactional: 1,
        effects: 1,
      });
    });

    it('between settlement and the end of the job, another worker ends the job and runs nothing', async () => {
      const shop = shopOf('after the settlement');

      expect(await shop.whenDrained(await shop.start(true))).toEqual(ONCE);
    });

    it('and another crash after the restart, nothing is lost', async () => {
      const shop = shopOf('before the effect');
      const second = new ShopProcess([shop.settings('before the effect', true)]);
      await second.held([2]);
      await second.kill();

      expect(await shop.whenDrained(await shop.start(true))).toEqual(ONCE);
    });
  });
});
