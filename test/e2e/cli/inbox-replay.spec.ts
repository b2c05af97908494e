import { createServer } from 'node:http';
import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { INestApplication } from '@nestjs/common';
import {
  InboxTransport,
  NonRetryableEventError,
  OnScalekitEvent,
  ScalekitWebhooksModule,
  type ScalekitWebhooksOptions,
} from 'nestjs-scalekit-webhooks';
import { SqliteInboxStore } from 'nestjs-scalekit-webhooks/sqlite';
import { signWebhook } from 'nestjs-scalekit-webhooks/testing';
import { replayRequestId } from '../../../lib/verify/signature-headers.js';
import { CapturedLogger } from '../../helpers/captured-logger.js';
import { recordEvent } from '../../helpers/cli-inbox.js';
import { holdDate } from '../../helpers/clock.js';
import { deferred } from '../../helpers/deferred.js';
import { runCliCaptured } from '../../helpers/run-cli-captured.js';
import { run } from '../../helpers/running-app.js';
import { openSqlite, sqliteFile } from '../../helpers/sqlite-files.js';
import { ADAPTERS, SECRET } from '../../helpers/test-app.js';
import { until } from '../../helpers/until.js';

const FAILURE = { name: 'Error', message: 'no tenant' };
const DEAD = { state: 'dead', error: FAILURE } as const;
const SENT_AT_ONCE = 4;

const sync = jest.fn<(event: { id: string }) => Promise<void>>();

class Users {
  @OnScalekitEvent('*')
  sync(event: { id: string }) {
    return sync(event);
  }
}

const bill = jest.fn<(event: { id: string }) => void>();

class Invoices {
  @OnScalekitEvent('organization.created')
  bill(event: { id: string }) {
    bill(event);
  }
}

describe.each(ADAPTERS)('scalekit-webhooks inbox replay, with an application on %s:', (_name, adapter) => {
  let file: string;
  let store: SqliteInboxStore;
  let app: INestApplication;
  let url: string;
  let logger: CapturedLogger;

  beforeEach(async () => {
    sync.mockReset();
    bill.mockReset();
    logger = new CapturedLogger();
    file = await sqliteFile();
    store = new SqliteInboxStore({ database: openSqlite(file) });
    await store.ping();
    const inbox = new SqliteInboxStore({ database: openSqlite(file) });
    app = await start({ signingSecret: SECRET, inbox });
    url = `${await app.getUrl()}/webhooks/scalekit`;
  });

  const start = (options: ScalekitWebhooksOptions) =>
    run(
      adapter,
      { imports: [ScalekitWebhooksModule.forRoot(options)], providers: [Users, Invoices] },
      undefined,
      { logger },
    );

  const statesOf = async (eventId: string) =>
    Object.fromEntries(
      (await store.get({ endpoint: 'default', eventId }))?.runs.map((one) => [one.handlerId, one.state]) ??
        [],
    );

  const replay = (argv: string[], { secret = SECRET, isTTY = false } = {}) =>
    runCliCaptured(['inbox', 'replay', ...argv], {
      env: { SCALEKIT_INBOX_URL: `sqlite:${file}`, SCALEKIT_WEBHOOK_SECRET: secret },
      isTTY,
    });

  it('runs a dead handler again', async () => {
    const id = await recordEvent(store, DEAD);

    const { exitCode, stdout, stderr } = await replay([id, '--url', url]);

    expect(stdout).toMatch(new RegExp(`^201 {2}organization\\.created ${id} {2}\\d+ ms `));
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(sync).toHaveBeenCalledTimes(1);
    expect(await statesOf(id)).toEqual({ 'Users.sync': 'done', 'Invoices.bill': 'done' });
  });

  it('runs a handler that is done again only if --handler names it', async () => {
    const id = await recordEvent(store, { state: 'done' });

    const unnamed = await replay([id, '--url', url]);
    expect([unnamed.exitCode, sync.mock.calls.length, bill.mock.calls.length]).toEqual([0, 0, 1]);

    const named = await replay([id, '--url', url, '--handler', 'Users.sync']);
    expect([named.exitCode, sync.mock.calls.length, bill.mock.calls.length]).toEqual([0, 1, 1]);
  });

  it('runs only the handlers that --handler names, even if others are dead or have no run yet', async () => {
    const id = await recordEvent(store, DEAD);

    expect((await replay([id, '--url', url, '--handler', 'Invoices.bill'])).exitCode).toBe(0);

    expect([sync.mock.calls.length, bill.mock.calls.length]).toEqual([0, 1]);
    expect(await statesOf(id)).toEqual({ 'Users.sync': 'dead', 'Invoices.bill': 'done' });
  });

  it('refuses a handler that the application does not have, and changes nothing', async () => {
    const ids = [await recordEvent(store, DEAD), await recordEvent(store, DEAD)];

    const handlers = ['--handler', 'Users.sync', '--handler', 'Users.snyc'];
    const { exitCode, stdout, stderr } = await replay(['--state', 'dead', '--url', url, ...handlers]);

    expect(stdout).toMatch(/^422 [^\n]*\n1 x 422\n$/);
    expect(stderr).toContain('The endpoint has no handler "Users.sync" or "Users.snyc".');
    expect(exitCode).toBe(1);
    expect(sync).not.toHaveBeenCalled();
    for (const id of ids) expect(await statesOf(id)).toEqual({ 'Users.sync': 'dead' });
  });

  it('says so if the inbox is not that of the application, which does not handle the event then', async () => {
    const other = new SqliteInboxStore({ database: openSqlite(await sqliteFile()) });
    const elsewhere = await start({ signingSecret: SECRET, inbox: other });
    const id = await recordEvent(store, DEAD);

    const { exitCode, stderr } = await replay([id, '--url', `${await elsewhere.getUrl()}/webhooks/scalekit`]);

    expect(stderr).toContain('does not have this event in its inbox');
    expect([exitCode, sync.mock.calls.length, await other.count()]).toEqual([1, 0, 0]);
  });

  it('works with a verifier of the application, as long as the endpoint has the secret', async () => {
    const inbox = new SqliteInboxStore({ database: openSqlite(file) });
    const verified = await start({ signingSecret: SECRET, inbox, verifier: () => true });
    const id = await recordEvent(store, DEAD);

    const { exitCode } = await replay([id, '--url', `${await verified.getUrl()}/webhooks/scalekit`]);

    expect([exitCode, sync.mock.calls.length]).toEqual([0, 1]);
  });

  it('cannot be asked for by anyone without the secret', async () => {
    const id = await recordEvent(store, { state: 'done' });
    const payload = (await store.payload({ endpoint: 'default', eventId: id })) ?? Buffer.from('');
    const asked = { 'webhook-id': replayRequestId({ handlers: ['Users.sync'] }) };
    const post = async (to: string, headers: Record<string, string>) =>
      (
        await fetch(to, {
          method: 'POST',
          headers: { 'content-type': 'application/json', ...headers, ...asked },
          body: Buffer.from(payload),
        })
      ).status;
    const inbox = new SqliteInboxStore({ database: openSqlite(file) });
    const verified = await start({ signingSecret: SECRET, inbox, verifier: () => true });

    // An authentic delivery to which someone adds the request.
    const standard = signWebhook({ payload, secret: SECRET });
    const scalekit = signWebhook({ payload, secret: SECRET, scheme: 'scalekit' });
    expect(await post(url, standard)).toBe(401);
    expect(await post(url, { ...standard, ...scalekit })).toBe(201);
    expect(await post(`${await verified.getUrl()}/webhooks/scalekit`, standard)).toBe(401);
    expect(sync).not.toHaveBeenCalled();
  });

  describe('a request', () => {
    async function post(id: string, asked: string, to = url) {
      const payload = (await store.payload({ endpoint: 'default', eventId: id })) ?? Buffer.from('');
      const signed = signWebhook({ payload, secret: SECRET, id: asked });
      const headers = { 'content-type': 'application/json', ...signed };
      const { status } = await fetch(to, { method: 'POST', headers, body: Buffer.from(payload) });
      return status;
    }

    it('that someone has recorded runs no handler again, as long as the tolerance would let it through', async () => {
      holdDate();
      const id = await recordEvent(store, { state: 'done' });
      const asked = replayRequestId({ handlers: ['Users.sync'] });
      const payload = (await store.payload({ endpoint: 'default', eventId: id })) ?? Buffer.from('');
      const inFuture = new Date(Date.now() + 299_000);
      const signed = signWebhook({ payload, secret: SECRET, id: asked, timestamp: inFuture });
      const headers = { 'content-type': 'application/json', ...signed };
      const repeat = async () =>
        (await fetch(url, { method: 'POST', headers, body: Buffer.from(payload) })).status;

      expect(await repeat()).toBe(201);
      expect(await repeat()).toBe(401);
      jest.setSystemTime(inFuture.getTime() + 299_000);
      expect(await repeat()).toBe(401);
      expect(sync).toHaveBeenCalledTimes(1);
      expect(logger.ours('warn')).toEqual([
        expect.stringContaining('replay_repeated'),
        expect.stringContaining('replay_repeated'),
      ]);
      expect(await post(id, replayRequestId({ handlers: ['Users.sync'] }))).toBe(201);
    });

    it.each([
      ['no JSON', Buffer.from('{').toString('base64url')],
      ['null', Buffer.from('null').toString('base64url')],
      ['handlers that are no list', Buffer.from('{"handlers":"Users.sync"}').toString('base64url')],
      ['nothing', ''],
    ])('that is signed, but malformed, is refused as any malformed header: %s', async (_what, text) => {
      const id = await recordEvent(store, { state: 'done' });

      expect(await post(id, `scalekit-webhooks-replay:1:${text}`)).toBe(401);
      expect(logger.ours('warn')).toEqual([expect.stringContaining('(headers_malformed): The webhook-id')]);
    });

    it.each<[string, ScalekitWebhooksOptions]>([
      ['has no secret', { verifier: () => true }],
      ['rejects it', { verifier: () => false, signingSecret: SECRET }],
    ])(
      'is refused by an endpoint with a verifier that %s, and the log and the command say why',
      async (_what, options) => {
        const inbox = new SqliteInboxStore({ database: openSqlite(file) });
        const verified = await start({ inbox, ...options });
        const id = await recordEvent(store, DEAD);

        const { exitCode, stderr } = await replay([
          id,
          '--url',
          `${await verified.getUrl()}/webhooks/scalekit`,
        ]);

        expect([exitCode, stderr]).toEqual([1, expect.stringContaining('endpoint with a `verifier`')]);
        expect(logger.ours('warn')).toContainEqual(
          expect.stringContaining('`inbox replay` is not available'),
        );
      },
    );
  });

  it('waits for a delivery of the event that is in progress', async () => {
    const id = await recordEvent(store, { state: 'failed', error: FAILURE });
    const running = deferred<void>();
    sync.mockReturnValueOnce(running.promise);
    const started = new Promise<void>((resolve) => {
      bill.mockImplementation(() => resolve());
    });
    const payload = (await store.payload({ endpoint: 'default', eventId: id })) ?? Buffer.from('');
    const headers = { 'content-type': 'application/json', ...signWebhook({ payload, secret: SECRET }) };
    const delivery = fetch(url, { method: 'POST', headers, body: Buffer.from(payload) });
    await started;

    const replayed = replay([id, '--url', url, '--handler', 'Users.sync']);
    running.resolve();

    expect([(await delivery).status, (await replayed).exitCode]).toEqual([201, 0]);
    expect(sync).toHaveBeenCalledTimes(2);
  });

  it('replays all matching events of the endpoint, oldest first, and prints a summary', async () => {
    const dead = [await recordEvent(store, DEAD), await recordEvent(store, DEAD)];
    await recordEvent(store, DEAD, { endpoint: 'partners' });
    await recordEvent(store, { state: 'failed', error: FAILURE });

    const { exitCode, stdout } = await replay(['--state', 'dead', '--url', url]);

    expect(stdout).toMatch(/2 x 201\n$/);
    expect(exitCode).toBe(0);
    expect(sync.mock.calls.map(([{ id }]) => id)).toEqual(dead);
    expect(await store.count({ state: 'dead' })).toBe(1);
  });

  it('replays the events that match every condition, and runs the handlers that --handler names', async () => {
    const wanted = await recordEvent(store, DEAD, { organizationId: 'org_1' });
    const other = await recordEvent(store, DEAD, { organizationId: 'org_2' });

    const conditions = ['--organization', 'org_1', '--run-of', 'Users.sync', '--error', 'TENANT'];
    await replay([...conditions, '--handler', 'Invoices.bill', '--url', url]);

    expect(await statesOf(wanted)).toEqual({ 'Users.sync': 'dead', 'Invoices.bill': 'done' });
    expect(await statesOf(other)).toEqual({ 'Users.sync': 'dead' });
  });

  it('sends at most --rate events per second', async () => {
    for (let count = 0; count < 3; count += 1) await recordEvent(store, DEAD);
    const startedAt: number[] = [];
    sync.mockImplementation(async () => {
      startedAt.push(performance.now());
    });

    await replay(['--state', 'dead', '--rate', '20', '--url', url]);

    expect(startedAt).toHaveLength(3);
    // Each of the last two waits 50 ms after the one before it, and is late by what the delivery takes.
    expect((startedAt[2] ?? 0) - (startedAt[0] ?? 0)).toBeGreaterThan(60);
  });

  it.each(['0', '-1', '1001', '1e3', 'fast', ''])('refuses the rate %j', async (rate) => {
    const { exitCode, stderr } = await replay(['--state', 'dead', '--rate', rate, '--url', url]);

    expect(stderr).toContain('Use a number of events per second from 0.001 to 1000.');
    expect(exitCode).toBe(2);
  });

  it('replays at most --limit events', async () => {
    for (let count = 0; count < 3; count += 1) await recordEvent(store, DEAD);

    await replay(['--type', 'organization.created', '--limit', '2', '--url', url]);

    expect(sync).toHaveBeenCalledTimes(2);
  });

  it('shows a progress bar for many events on a terminal', async () => {
    await Promise.all(Array.from({ length: 25 }, () => recordEvent(store, DEAD)));

    const { stdout, stderr } = await replay(['--state', 'dead', '--url', url], { isTTY: true });

    expect(stderr).toContain('25/25');
    expect(stdout).toBe('25 x 201\n');
    expect(await store.count({ state: 'done' })).toBe(25);
  });

  it('continues if a handler fails again, and exits with 1', async () => {
    const ids = [
      await recordEvent(store, DEAD),
      await recordEvent(store, DEAD),
      await recordEvent(store, DEAD),
    ];
    sync.mockImplementation(async ({ id }) => {
      if (id === ids[0]) throw new Error('broken');
      if (id === ids[1]) throw new NonRetryableEventError('no tenant');
    });

    const { exitCode, stdout, stderr } = await replay(['--state', 'dead', '--url', url]);

    expect(stdout).toMatch(/^500 .*\n(422|201) .*\n(422|201) .*\n1 x 500, /);
    expect({ exitCode, stderr }).toEqual({ exitCode: 1, stderr: '' });
  });

  it.each([
    ['secret', `whsec_${Buffer.alloc(32, 9).toString('base64')}`, '', /^401 /],
    ['URL', SECRET, '/nowhere', /^404 /],
  ])(
    'stops after the first event if the %s is wrong, and leaves all of them dead',
    async (_case, secret, suffix, line) => {
      for (let count = 0; count < 6; count += 1) await recordEvent(store, DEAD);

      const { exitCode, stdout, stderr } = await replay(['--state', 'dead', '--url', `${url}${suffix}`], {
        secret,
      });

      expect(stdout).toMatch(line);
      expect(stderr).toContain('Stopped');
      expect(exitCode).toBe(1);
      expect(await store.count({ state: 'dead' })).toBe(6);
    },
  );

  it('stops if the connection is refused', async () => {
    await app.close();
    for (let count = 0; count < 3; count += 1) await recordEvent(store, DEAD);

    const { exitCode, stdout } = await replay(['--state', 'dead', '--url', url]);

    expect(stdout).toContain('connection refused');
    expect(exitCode).toBe(1);
    expect(await store.count({ state: 'dead' })).toBe(3);
  });

  it('stops soon if the application goes down halfway', async () => {
    for (let count = 0; count < 30; count += 1) await recordEvent(store, DEAD);
    let answers = 0;
    const server = createServer((request, response) => {
      request.resume().on('end', () => {
        answers += 1;
        if (answers <= 10) response.writeHead(201).end('{"received":true,"replay":"done"}');
        else request.socket.destroy();
      });
    });
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : undefined;

    const { exitCode, stderr } = await replay(['--state', 'dead', '--url', `http://127.0.0.1:${port}`]);

    expect(exitCode).toBe(1);
    expect(stderr).toContain('Stopped');
    expect(answers).toBeLessThanOrEqual(10 + SENT_AT_ONCE);
    server.closeAllConnections();
    await new Promise((closed) => server.close(closed));
  });

  it('exits with 1 for an unknown event, and with 0 if no event matches', async () => {
    const absent = await replay(['evt_none', '--url', url]);
    const none = await replay(['--state', 'dead', '--url', url]);

    expect(absent).toMatchObject({ exitCode: 1, stdout: '', stderr: expect.stringContaining('"evt_none"') });
    expect(none).toEqual({ exitCode: 0, stdout: '', stderr: 'No events found.\n' });
    expect(sync).not.toHaveBeenCalled();
  });

  it('hands a dead run to the workers of an application with background work', async () => {
    const id = await recordEvent(store, DEAD);
    const inbox = new SqliteInboxStore({ database: openSqlite(file) });
    const transport = new InboxTransport();
    const background = await run(adapter, {
      imports: [ScalekitWebhooksModule.forRoot({ signingSecret: SECRET, inbox, transport })],
      providers: [Users],
    });

    const { exitCode, stdout } = await replay([
      id,
      '--url',
      `${await background.getUrl()}/webhooks/scalekit`,
    ]);

    expect(stdout).toMatch(new RegExp(`^202 {2}organization\\.created ${id} `));
    expect(exitCode).toBe(0);
    await until(
      () => store.get({ endpoint: 'default', eventId: id }),
      (entry) => entry?.runs[0]?.state === 'done',
    );
    expect(sync).toHaveBeenCalledTimes(1);
  });
});
