import { afterEach, beforeEach, expect, it, jest } from '@jest/globals';
import type { INestApplication, INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ScalekitInbox } from 'nestjs-scalekit-webhooks';
import { createScalekitEvent, ScalekitWebhookTester } from 'nestjs-scalekit-webhooks/testing';
import { openDatabase } from '../../../test/helpers/postgres.js';
import { describeWithService } from '../../../test/helpers/services.js';
import { until } from '../../../test/helpers/until.js';
import { AppModule } from '../src/app.module.js';
import { Cloud } from '../src/cloud.js';

await describeWithService('postgres', 'the background sample', () => {
  let variables: Record<string, string>;
  let database: Awaited<ReturnType<typeof openDatabase>>;
  let web: INestApplication;
  let inbox: ScalekitInbox;
  const contexts: INestApplicationContext[] = [];

  beforeEach(async () => {
    database = await openDatabase('UTF8');
    variables = {
      POSTGRES_URL: String(database.pool.options.connectionString),
      SCALEKIT_WEBHOOK_SECRET: `whsec_${Buffer.alloc(32, 1).toString('base64')}`,
    };
    Object.assign(process.env, variables, { ROLE: 'web' });
    web = await NestFactory.create(AppModule, { logger: false });
    contexts.push(web);
    await web.listen(0, '127.0.0.1');
    inbox = web.get(ScalekitInbox, { strict: false });
  }, 20_000);

  afterEach(async () => {
    for (const context of contexts.splice(0).reverse()) await context.close();
    await database.drop();
    for (const name of ['ROLE', ...Object.keys(variables)]) delete process.env[name];
  }, 20_000);

  /** Starts a worker with this API. */
  async function startWorker(createStorage: Cloud['createStorage'] = async () => 'storage-1') {
    process.env.ROLE = 'worker';
    const worker = await NestFactory.createApplicationContext(AppModule, { logger: false });
    contexts.push(worker);
    return jest.spyOn(worker.get(Cloud), 'createStorage').mockImplementation(createStorage);
  }

  const deliver = (event: object) => new ScalekitWebhookTester(web).deliver(event);

  /** Waits until the only run of an event has one of these states, and returns it. */
  async function untilRun(eventId: string, ...states: string[]) {
    const runOf = async () => (await inbox.get(eventId))?.runs[0];
    return until(runOf, (run) => run !== undefined && states.includes(run.state));
  }

  async function workspaces() {
    return (await database.pool.query('SELECT * FROM workspaces')).rows;
  }

  it('answers 202 in the web process, and leaves the work to workers, which do it once', async () => {
    const event = createScalekitEvent('organization.created', { organization_id: 'org_1' });

    expect((await deliver(event)).status).toBe(202);
    expect(await untilRun(event.id, 'queued')).toMatchObject({ attempts: 0 });

    const apis = [await startWorker(), await startWorker()];

    expect(await untilRun(event.id, 'done')).toMatchObject({ attempts: 1 });
    expect(apis.flatMap(({ mock }) => mock.calls)).toHaveLength(1);
    expect(await workspaces()).toEqual([{ organization_id: 'org_1', storage: 'storage-1' }]);
    expect((await deliver(event)).status).toBe(200);
  }, 30_000);

  it('keeps a run for later if the API fails, with no workspace', async () => {
    const event = createScalekitEvent('organization.created', { organization_id: 'org_1' });
    await deliver(event);

    await startWorker(async () => {
      throw new Error('the cloud is down');
    });

    expect(await untilRun(event.id, 'failed')).toMatchObject({
      attempts: 1,
      error: { message: 'the cloud is down' },
    });
    expect(await workspaces()).toEqual([]);
  }, 30_000);
});
