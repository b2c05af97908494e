import { createServer } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { INestApplication } from '@nestjs/common';
import {
  InboxTransport,
  NonRetryableEventError,
  OnScalekitEvent,
  ScalekitWebhooksModule,
} from 'nestjs-scalekit-webhooks';
import { SqliteInboxStore } from 'nestjs-scalekit-webhooks/sqlite';
import { recordEvent } from '../../helpers/cli-inbox.js';
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

describe.each(ADAPTERS)('scalekit-webhooks inbox replay, with an application on %s:', (_name, adapter) => {
  let file: string;
  let store: SqliteInboxStore;
  let app: INestApplication;
  let url: string;

  beforeEach(async () => {
    sync.mockReset();
    file = await sqliteFile();
    store = new SqliteInboxStore({ database: openSqlite(file) });
    await store.ping();
    const inbox = new SqliteInboxStore({ database: openSqlite(file) });
    app = await run(adapter, {
      imports: [ScalekitWebhooksModule.forRoot({ signingSecret: SECRET, inbox })],
      providers: [Users],
    });
    url = `${await app.getUrl()}/webhooks/scalekit`;
  });

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
    expect((await store.get({ endpoint: 'default', eventId: id }))?.runs).toMatchObject([{ state: 'done' }]);
  });

  it('runs a handler that is done again only if --handler names it', async () => {
    const id = await recordEvent(store, { state: 'done' });

    const unnamed = await replay([id, '--url', url]);
    expect([unnamed.exitCode, sync.mock.calls.length]).toEqual([0, 0]);
    expect(unnamed.stdout).toContain('duplicate');

    const named = await replay([id, '--url', url, '--handler', 'Other.run', '--handler', 'Users.sync']);
    expect([named.exitCode, sync.mock.calls.length]).toEqual([0, 1]);
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
    'stops after the first event if the %s is wrong, and leaves the others dead',
    async (_case, secret, suffix, line) => {
      for (let count = 0; count < 6; count += 1) await recordEvent(store, DEAD);

      const { exitCode, stdout, stderr } = await replay(['--state', 'dead', '--url', `${url}${suffix}`], {
        secret,
      });

      expect(stdout).toMatch(line);
      expect(stderr).toContain('Stopped');
      expect(exitCode).toBe(1);
      expect(await store.count({ state: 'dead' })).toBe(5);
    },
  );

  it('stops if the connection is refused', async () => {
    await app.close();
    for (let count = 0; count < 3; count += 1) await recordEvent(store, DEAD);

    const { exitCode, stdout } = await replay(['--state', 'dead', '--url', url]);

    expect(stdout).toContain('connection refused');
    expect(exitCode).toBe(1);
    expect(await store.count({ state: 'dead' })).toBe(2);
  });

  it('stops soon if the application goes down halfway', async () => {
    for (let count = 0; count < 30; count += 1) await recordEvent(store, DEAD);
    let answers = 0;
    const server = createServer((request, response) => {
      request.resume().on('end', () => {
        answers += 1;
        if (answers <= 10) response.writeHead(201).end();
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

  it('sends the event again if the response was that of a delivery in progress', async () => {
    const id = await recordEvent(store, DEAD);
    const key = { endpoint: 'default', eventId: id };
    const lease = { token: 'second', durationMs: 60_000 };
    let requests = 0;
    const server = createServer(async (request, response) => {
      requests += 1;
      const payload = await buffer(request);
      if (requests === 2) {
        const event = { ...key, type: 'organization.created', occurredAt: '', payload };
        await store.claim(event, ['Users.sync'], lease);
        await store.settle(key, [{ handlerId: 'Users.sync', state: 'done' }], lease);
      }
      response.writeHead(201).end();
    });
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : undefined;

    const { exitCode, stdout } = await replay([id, '--url', `http://127.0.0.1:${port}`]);

    expect({ exitCode, requests, lines: stdout.split('\n').length }).toEqual({
      exitCode: 0,
      requests: 2,
      lines: 2,
    });
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
