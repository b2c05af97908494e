import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, expect, it, jest } from '@jest/globals';
import { getQueueToken } from '@nestjs/bullmq';
import type { INestApplication, INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { type Queue, QueueEvents } from 'bullmq';
import { Redis } from 'ioredis';
import { PostgresInboxStore } from 'nestjs-scalekit-webhooks/postgres';
import { createScalekitEvent, ScalekitWebhookTester } from 'nestjs-scalekit-webhooks/testing';
import type { Pool } from 'pg';
import { aSchemaName, dropSchema, openPool } from '../../../test/helpers/postgres.js';
import { serviceUrl } from '../../../test/helpers/service-url.js';
import { describeWithService, isReachable } from '../../../test/helpers/services.js';
import { AppModule } from '../src/app.module.js';
import { Mailer } from '../src/mailer.js';

const URLS = { REDIS_URL: serviceUrl('redis'), POSTGRES_URL: serviceUrl('postgres') };

// The sample needs both services. If one is missing, the skipped test names it.
const needed = (await isReachable('postgres')) ? 'redis' : 'postgres';

await describeWithService(needed, 'the BullMQ sample', () => {
  let variables: Record<string, string>;
  let pool: Pool;
  let web: INestApplication;
  let queue: Queue;
  let ends: QueueEvents;
  const contexts: INestApplicationContext[] = [];

  beforeEach(async () => {
    variables = {
      ...URLS,
      SCALEKIT_WEBHOOK_SECRET: `whsec_${Buffer.alloc(32, 1).toString('base64')}`,
      QUEUE_PREFIX: `test-${randomUUID()}`,
      INBOX_SCHEMA: aSchemaName(),
      BOARD_PASSWORD: 'open sesame',
    };
    Object.assign(process.env, variables, { ROLE: 'web' });
    pool = openPool();
    web = await NestFactory.create(AppModule, { logger: false });
    contexts.push(web);
    await web.listen(0, '127.0.0.1');
    queue = web.get(getQueueToken('scalekit'), { strict: false });
    ends = new QueueEvents('scalekit', {
      connection: { url: URLS.REDIS_URL },
      prefix: variables.QUEUE_PREFIX ?? '',
    });
    await ends.waitUntilReady();
  });

  afterEach(async () => {
    await ends.close();
    await queue.obliterate({ force: true });
    for (const context of contexts.splice(0).reverse()) await context.close();
    await dropSchema(pool, variables.INBOX_SCHEMA ?? '');
    await pool.end();
    const redis = new Redis(URLS.REDIS_URL);
    const keys = await redis.keys(`${variables.QUEUE_PREFIX}*`);
    if (keys.length > 0) await redis.del(keys);
    await redis.quit();
    for (const name of ['ROLE', ...Object.keys(variables)]) delete process.env[name];
  });

  /** Starts a worker with this mail service. */
  async function startWorker(send: Mailer['send'] = async () => {}) {
    process.env.ROLE = 'worker';
    const worker = await NestFactory.createApplicationContext(AppModule, { logger: false });
    contexts.push(worker);
    return jest.spyOn(worker.get(Mailer), 'send').mockImplementation(send);
  }

  async function allEnded(): Promise<void> {
    const jobs = await queue.getJobs(['waiting', 'active', 'delayed', 'completed', 'failed', 'prioritized']);
    for (const job of jobs) await job.waitUntilFinished(ends, 10_000).catch(() => {});
  }

  const runsOf = async (eventId: string) => {
    const inbox = new PostgresInboxStore({
      client: pool,
      application: 'mail',
      schema: variables.INBOX_SCHEMA ?? '',
    });
    const entry = await inbox.get({ endpoint: 'default', eventId });
    return Object.fromEntries((entry?.runs ?? []).map((run) => [run.handlerId, run]));
  };

  const deliver = (event: object) => new ScalekitWebhookTester(web).deliver(event);

  it('answers 202 in the web process, and leaves the jobs to a worker', async () => {
    const inWeb = jest.spyOn(web.get(Mailer), 'send');
    const event = createScalekitEvent('user.created', { data: { user: { email: 'ada@example.com' } } });

    const { status } = await deliver(event);

    expect(status).toBe(202);
    expect(await runsOf(event.id)).toMatchObject({
      'AuditHandlers.record': { state: 'queued' },
      'MailHandlers.welcome': { state: 'queued' },
    });

    const inWorker = await startWorker();
    await allEnded();

    expect(inWorker.mock.calls).toEqual([[expect.objectContaining({ to: 'ada@example.com' })]]);
    expect(inWeb).not.toHaveBeenCalled();
    expect(await runsOf(event.id)).toMatchObject({
      'AuditHandlers.record': { state: 'done' },
      'MailHandlers.welcome': { state: 'done' },
    });
    expect((await deliver(event)).status).toBe(200);
  });

  it('gives up on an email after three attempts with the same key, and marks the run dead and the job failed', async () => {
    const send = await startWorker(async () => {
      throw new Error('the mail service is down');
    });
    const event = createScalekitEvent('user.created');

    await deliver(event);
    await allEnded();

    expect(await runsOf(event.id)).toMatchObject({
      'AuditHandlers.record': { state: 'done' },
      'MailHandlers.welcome': { state: 'dead', attempts: 3, error: { message: 'the mail service is down' } },
    });
    expect(new Set(send.mock.calls.map(([{ idempotencyKey }]) => idempotencyKey)).size).toBe(1);
    expect(await queue.getFailedCount()).toBe(1);
  });

  it('shows the queue on a board, behind a password', async () => {
    const url = await web.getUrl();
    const authorization = `Basic ${Buffer.from('admin:open sesame').toString('base64')}`;

    const page = await fetch(`${url}/queues`, { headers: { authorization } });
    const queues = await fetch(`${url}/queues/api/queues`, { headers: { authorization } });
    const stranger = await fetch(`${url}/queues/api/queues`);

    expect([page.status, queues.status, stranger.status]).toEqual([200, 200, 401]);
    expect(await page.text()).toContain('Bull Dashboard');
    expect(await queues.json()).toMatchObject({ queues: [{ name: 'scalekit' }] });
  });
});
