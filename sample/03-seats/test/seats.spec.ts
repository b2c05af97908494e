import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { INestApplication } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { ScalekitEventDispatcher } from 'nestjs-scalekit-webhooks';
import { createScalekitEvent, ScalekitWebhookTester } from 'nestjs-scalekit-webhooks/testing';
import { holdDate } from '../../../test/helpers/clock.js';
import { sqliteFile } from '../../../test/helpers/sqlite-files.js';
import { AppModule } from '../src/app.module.js';
import { SeatDatabase } from '../src/seat.database.js';
import { SeatsController } from '../src/seats.controller.js';
import { crashDuring } from './halting-app.js';

const SECRET = `whsec_${Buffer.alloc(32, 1).toString('base64')}`;

// The process that crashes compiles the application first.
const CRASH_TIMEOUT_MS = 30_000;

const data = { organization: { id: 'org_1' } };
const joined = () => createScalekitEvent('user.organization_membership_created', { data });
const left = () => createScalekitEvent('user.organization_membership_deleted', { data });

describe('the seats sample', () => {
  let app: INestApplication;
  let scalekit: ScalekitWebhookTester;

  beforeEach(async () => {
    process.env.SCALEKIT_WEBHOOK_SECRET = SECRET;
    process.env.SEATS_FILE = await sqliteFile();
    await start();
  });

  afterEach(async () => {
    await app.close();
    delete process.env.SCALEKIT_WEBHOOK_SECRET;
    delete process.env.SEATS_FILE;
  });

  async function start(): Promise<void> {
    const module = await Test.createTestingModule({ imports: [AppModule] }).compile();
    app = module.createNestApplication({ logger: false });
    scalekit = new ScalekitWebhookTester(app);
  }

  const used = () => app.get(SeatsController).used('org_1').used;

  it('counts members who join and leave', async () => {
    for (const event of [joined(), joined(), left()]) await scalekit.deliver(event);

    expect(used()).toBe(1);
  });

  it('counts correctly if the events of a member arrive in the wrong order', async () => {
    await scalekit.deliver(left());
    await scalekit.deliver(joined());

    expect(used()).toBe(0);
  });

  it('counts a repeated event once', async () => {
    const answers = await scalekit.deliverTwice(joined());

    expect(answers.map(({ status }) => status)).toEqual([201, 200]);
    expect(used()).toBe(1);
  });

  it('counts each event once if many arrive at the same time, three times each', async () => {
    const events = Array.from({ length: 20 }, joined);

    await Promise.all(events.map((event) => scalekit.deliverConcurrently(event, 3)));

    expect(used()).toBe(20);
  });

  it('keeps the transactions of concurrent handlers apart', async () => {
    await app.init();
    const dispatcher = app.get(ScalekitEventDispatcher, { strict: false });

    const results = await Promise.all(Array.from({ length: 20 }, () => dispatcher.dispatch(joined())));

    expect(new Set(results.map(({ outcome }) => outcome))).toEqual(new Set(['processed']));
    expect(used()).toBe(20);
  });

  it('rolls the count back if the handler fails halfway, and counts the retry once', async () => {
    const database = app.get(SeatDatabase);
    const { change } = database;
    jest.spyOn(database, 'change').mockImplementationOnce(async (...changed) => {
      await change.apply(database, changed);
      throw new Error('halfway');
    });
    const event = joined();

    expect((await scalekit.deliver(event)).status).toBe(500);
    expect(used()).toBe(0);
    expect((await scalekit.deliver(event)).status).toBe(201);
    expect(used()).toBe(1);
  });

  it('answers 422 to an event without an organization', async () => {
    const event = createScalekitEvent('user.organization_membership_created', {
      organization_id: null,
      data: { organization: null },
    });

    expect((await scalekit.deliver(event)).status).toBe(422);
  });

  it(
    'counts an event once if the process crashes after the commit',
    async () => {
      const event = joined();
      await app.close();

      await crashDuring(event, 'after the commit', SECRET);
      await start();

      expect((await scalekit.deliver(event)).status).toBe(200);
      expect(used()).toBe(1);
    },
    CRASH_TIMEOUT_MS,
  );

  it(
    'counts an event once, after the lease, if the process crashes before the commit',
    async () => {
      const event = joined();
      await app.close();

      await crashDuring(event, 'before the commit', SECRET);
      await start();

      const { status, headers } = await scalekit.deliver(event);
      expect(status).toBe(503);
      expect(used()).toBe(0);
      holdDate();
      jest.setSystemTime(Date.now() + Number(headers.get('retry-after')) * 1000);
      expect((await scalekit.deliver(event)).status).toBe(201);
      expect(used()).toBe(1);
    },
    CRASH_TIMEOUT_MS,
  );
});
