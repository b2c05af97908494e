import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { Queue } from 'bullmq';
import { createScalekitEvent } from 'nestjs-scalekit-webhooks/testing';
import { describeWithService } from '../helpers/services.js';
import { Heir } from './helpers/heir.js';
import type { HoldPoint } from './helpers/hold-points.js';
import type { LedgerPlace } from './helpers/ledgers.js';
import { ShopProcess } from './helpers/shop-process.js';
import { aDirectory, undoAfterSuite } from './helpers/tidy.js';
import { until } from './helpers/until.js';

const ONCE = { plain: 1, transactional: 1, effects: 1 };
const event = createScalekitEvent('user.created');

/** A shop with a queue and a ledger of its own, whose processes come and go. */
class QueueShop {
  readonly prefix = `test-${randomUUID()}`;
  readonly queue: Queue;
  readonly place: LedgerPlace;
  readonly notes: string;

  constructor(
    private readonly url: string,
    directory: string,
  ) {
    this.place = { kind: 'sqlite', file: join(directory, `${this.prefix}.db`) };
    this.notes = join(directory, `${this.prefix}.notes`);
    this.queue = new Queue('scalekit', { connection: { url }, prefix: this.prefix });
    undoAfterSuite(async () => {
      await this.queue.obliterate({ force: true });
      await this.queue.close();
    });
  }

  start(worker: boolean): Promise<Heir> {
    return Heir.start(this.place, this.notes, { url: this.url, prefix: this.prefix, worker });
  }

  settings(holdAt: HoldPoint, worker: boolean) {
    const { place, notes, url, prefix } = this;
    return { place, notes, holdAt, queue: { url, prefix, worker } };
  }

  async countJobs(): Promise<number> {
    return this.queue.getJobCountByTypes('wait', 'active', 'delayed', 'completed', 'failed');
  }

  /** Waits until no job is left, and tells how often the handlers ran. */
  async whenWorkedOff(heir: Heir) {
    await until(
      () => this.queue.getJobCountByTypes('wait', 'active', 'delayed'),
      (count) => count === 0,
    );
    expect(await heir.statesOf(event.id)).toEqual({ plain: 'done', transactional: 'done' });
    expect(await this.queue.getFailedCount()).toBe(0);
    return heir.runsOf(event.id);
  }
}

await describeWithService('redis', 'With a queue a process that is killed', (url) => {
  describe('as it takes a delivery,', () => {
    const POINTS = ['before the queue has it', 'after the queue has it', 'after the settlement'] as const;
    const shops = new Map<string, QueueShop>();
    const shopOf = (point: (typeof POINTS)[number] | 'twice') => shops.get(point) as QueueShop;

    beforeAll(async () => {
      const directory = await aDirectory();
      for (const point of [...POINTS, 'twice']) shops.set(point, new QueueShop(url, directory));
      const settings = POINTS.map((point) => shopOf(point).settings(point, false));
      const doomed = new ShopProcess([
        ...settings,
        shopOf('twice').settings('after the queue has it', false),
      ]);
      await doomed.ready();
      const answers = [...shops].map((_, shop) => doomed.deliver(shop, event));
      await doomed.held([1, 1, 1, 1]);
      await doomed.kill();
      expect(await Promise.all(answers)).toEqual([undefined, undefined, undefined, undefined]);
    });

    it('between claim and queue leaves no job: the retry queues them', async () => {
      const shop = shopOf('before the queue has it');
      expect(await shop.countJobs()).toBe(0);
      const heir = await shop.start(true);

      expect(await heir.redeliver(event)).toBe(202);
      expect(await shop.whenWorkedOff(heir)).toEqual(ONCE);
    });

    it('between queue and settlement leaves jobs, which are worked off without a retry', async () => {
      const shop = shopOf('after the queue has it');
      const heir = await shop.start(true);

      expect(await shop.whenWorkedOff(heir)).toEqual(ONCE);
      expect(await heir.redeliver(event)).toBe(200);
    });

    it('between queue and settlement may have the retry queue them again: each handler runs once', async () => {
      const shop = shopOf('twice');
      const web = await shop.start(false);

      expect(await web.redeliver(event)).toBe(202);
      expect(await shop.countJobs()).toBe(4);
      expect(await shop.whenWorkedOff(await shop.start(true))).toEqual(ONCE);
    });

    it('between settlement and answer has the retry told that all is queued, and queues nothing', async () => {
      const shop = shopOf('after the settlement');
      const web = await shop.start(false);

      expect(await web.redeliver(event)).toBe(202);
      expect(await shop.countJobs()).toBe(2);
      expect(await shop.whenWorkedOff(await shop.start(true))).toEqual(ONCE);
    });
  });

  describe('as it works on a job,', () => {
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
      const directory = await aDirectory();
      for (const point of POINTS) {
        const shop = new QueueShop(url, directory);
        shops.set(point, shop);
        expect(await (await shop.start(false)).redeliver(event)).toBe(202);
      }
      const doomed = new ShopProcess(POINTS.map((point) => shopOf(point).settings(point, true)));
      await doomed.held(POINTS.map(() => 2));
      await doomed.kill();
    });

    it('between taking it and the claim leaves it to another worker', async () => {
      const shop = shopOf('before the claim');

      expect(await shop.whenWorkedOff(await shop.start(true))).toEqual(ONCE);
    });

    it('between claim and handler leaves it to another worker, when the lease has ended', async () => {
      const shop = shopOf('after the claim');

      expect(await shop.whenWorkedOff(await shop.start(true))).toEqual(ONCE);
    });

    it('between handler and settlement has it run again but for what was recorded with its effect', async () => {
      const shop = shopOf('before the settlement');

      expect(await shop.whenWorkedOff(await shop.start(true))).toEqual({
        plain: 2,
        transactional: 1,
        effects: 1,
      });
    });

    it('between settlement and the end of the job has another worker end the job, and run nothing', async () => {
      const shop = shopOf('after the settlement');

      expect(await shop.whenWorkedOff(await shop.start(true))).toEqual(ONCE);
    });

    it('loses nothing where the same happens to its heir', async () => {
      const shop = shopOf('before the effect');
      const heir = new ShopProcess([shop.settings('before the effect', true)]);
      await heir.held([2]);
      await heir.kill();

      expect(await shop.whenWorkedOff(await shop.start(true))).toEqual(ONCE);
    });
  });
});
