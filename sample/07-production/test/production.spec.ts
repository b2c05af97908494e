import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { createScalekitEvent, signWebhook } from 'nestjs-scalekit-webhooks/testing';
import { Client } from 'pg';
import { endProcess, endWithThisProcess, isRunning } from '../../../test/helpers/child-process.js';
import { freePort } from '../../../test/helpers/free-port.js';
import { PostgresServer } from '../../../test/helpers/postgres-server.js';
import { SECRET } from '../../../test/helpers/secrets.js';
import { describeWithServers } from '../../../test/helpers/services.js';
import { until } from '../../../test/helpers/until.js';

const RUNNER = fileURLToPath(new URL('../../../test/helpers/run-typescript.mjs', import.meta.url));
const MAIN = fileURLToPath(new URL('../src/main.ts', import.meta.url));
const PASSWORD = 'correct horse battery staple';
const TIMEOUT_MS = 60_000;

describeWithServers('postgres', 'the production sample, with a web process and a worker', () => {
  let server: PostgresServer;
  const processes: ChildProcess[] = [];
  let web: Ports;
  let worker: Ports;

  beforeAll(async () => {
    server = await PostgresServer.start();
    [web, worker] = await Promise.all([start('web'), start('worker')]);
  }, TIMEOUT_MS);

  afterAll(async () => {
    for (const child of processes) await endProcess(child);
    await server.stop();
  }, TIMEOUT_MS);

  interface Ports {
    readonly child: ChildProcess;
    readonly app: string;
    readonly metrics: string;
  }

  /** Starts a process as a user does, and waits until it is healthy. */
  async function start(role: string): Promise<Ports> {
    const [port, metricsPort] = [await freePort(), await freePort()];
    let output = '';
    const child = spawn(process.execPath, [RUNNER, MAIN], {
      env: {
        PATH: process.env.PATH,
        ROLE: role,
        PORT: String(port),
        METRICS_PORT: String(metricsPort),
        POSTGRES_URL: server.url,
        SCALEKIT_WEBHOOK_SECRET: SECRET,
        DASHBOARD_PASSWORD: PASSWORD,
      },
    });
    processes.push(child);
    endWithThisProcess(child);
    child.stdout.on('data', (chunk) => {
      output += chunk;
    });
    child.stderr.on('data', (chunk) => {
      output += chunk;
    });
    const app = `http://127.0.0.1:${port}`;
    await until(
      async () => {
        if (!isRunning(child)) throw new Error(output);
        return statusOf(`${app}/health`);
      },
      (status) => status === 200,
      TIMEOUT_MS,
    );
    return { child, app, metrics: `http://127.0.0.1:${metricsPort}/metrics` };
  }

  async function statusOf(url: string): Promise<number | undefined> {
    return fetch(url).then(
      ({ status }) => status,
      () => undefined,
    );
  }

  async function deliver(event: object, secret = SECRET) {
    const payload = JSON.stringify(event);
    const headers = { 'content-type': 'application/json', ...signWebhook({ payload, secret }) };
    const { status } = await fetch(`${web.app}/webhooks/scalekit`, {
      method: 'POST',
      body: payload,
      headers,
    });
    return status;
  }

  function open(page: string, user?: string) {
    const authorization = user && `Basic ${Buffer.from(user).toString('base64')}`;
    return fetch(`${web.app}/admin/webhooks/${page}`, { headers: authorization ? { authorization } : {} });
  }

  async function metricsOf({ metrics }: Ports, name: string): Promise<string[]> {
    const text = await (await fetch(metrics)).text();
    return text.split('\n').filter((line) => line.startsWith(`${name}{`));
  }

  it(
    'accepts events in the web process, handles them in the worker, and shows both in the metrics',
    async () => {
      const event = createScalekitEvent('user.created', { data: { user: { id: 'usr_1' } } });
      expect(await deliver(event)).toBe(202);

      const done = await until(
        () => metricsOf(worker, 'messaging_process_duration_count'),
        (lines) => lines.length > 0,
      );
      expect(done).toEqual([expect.stringMatching(/group_name="MemberHandlers.add".*state="done".* 1$/)]);
      expect(await metricsOf(web, 'messaging_process_duration_count')).toEqual([]);
      expect(await metricsOf(web, 'scalekit_webhook_delivery_duration_count')).toEqual([
        expect.stringMatching(/type="user.created",scalekit_delivery_outcome="accepted".* 1$/),
      ]);
      const client = new Client(server.url);
      await client.connect();
      expect((await client.query('SELECT * FROM members')).rows).toEqual([{ user_id: 'usr_1' }]);
      await client.end();
    },
    TIMEOUT_MS,
  );

  it('shows the dashboard to those who know the password only', async () => {
    const event = createScalekitEvent('user.created');
    await deliver(event);

    for (const user of [undefined, 'operator:', 'operator:wrong', `admin:${PASSWORD}`]) {
      const refused = await open('entries', user);
      expect([refused.status, refused.headers.get('www-authenticate')]).toEqual([
        401,
        'Basic realm="webhooks"',
      ]);
      expect(await refused.text()).not.toContain(event.id);
    }
    const shown = await open('entries', `operator:${PASSWORD}`);
    expect(shown.status).toBe(200);
    expect(await shown.text()).toContain(event.id);
  });

  it(
    'is not healthy while Postgres is down, and is again when it is back',
    async () => {
      await server.kill();
      expect(await statusOf(`${web.app}/health`)).toBe(503);
      expect(await statusOf(`${worker.app}/health`)).toBe(503);
      await until(
        () => metricsOf(worker, 'scalekit_webhook_inbox_faults_total'),
        (lines) => lines.length > 0,
      );

      await server.launch();
      for (const { app } of [web, worker]) {
        await until(
          () => statusOf(`${app}/health`),
          (status) => status === 200,
          TIMEOUT_MS,
        );
      }
    },
    TIMEOUT_MS,
  );

  it(
    'ends by itself when it is told to',
    async () => {
      for (const { child } of [web, worker]) {
        await endProcess(child, 'SIGTERM');
        expect([child.exitCode, child.signalCode]).toEqual([null, 'SIGTERM']);
      }
    },
    TIMEOUT_MS,
  );
});
