import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import type { InboxStore } from 'nestjs-scalekit-webhooks';
import { recordEvent } from '../../helpers/cli-inbox.js';
import { PostgresFixture } from '../../helpers/postgres-fixture.js';
import { redisInboxHarness } from '../../helpers/redis-inbox.js';
import { runCliCaptured } from '../../helpers/run-cli-captured.js';
import { serviceUrl } from '../../helpers/service-url.js';
import { describeWithService } from '../../helpers/services.js';

const COMMANDS: readonly (readonly string[])[] = [
  ['list'],
  ['show', 'evt_1'],
  ['replay', 'evt_1', '--secret', 'whsec_b2xk'],
  ['dismiss', 'evt_1'],
  ['stats'],
  ['prune', '--before', '30d'],
  ['reencrypt'],
];

/** Runs each inbox command without --application. */
async function refuseWithoutApplication(options: string[]): Promise<void> {
  for (const command of COMMANDS) {
    const { exitCode, stderr } = await runCliCaptured(['inbox', ...command, ...options]);

    expect(stderr).toMatch(/^error: .*Name yours with --application/);
    expect(exitCode).toBe(2);
  }
}

/** Runs each inbox command on a store. */
async function runEachCommand(store: InboxStore, options: string[]): Promise<void> {
  const inbox = (command: string, ...argv: string[]) =>
    runCliCaptured(['inbox', command, ...options, ...argv]);
  const id = await recordEvent(store, { state: 'dead', error: { name: 'Error', message: 'no tenant' } });

  const list = await inbox('list', '--state', 'dead');
  const show = await inbox('show', id, '--payload');
  const replay = await inbox('replay', id, '--secret', 'whsec_b2xk', '--url', 'http://127.0.0.1:1/hooks');
  const unchanged = await store.get({ endpoint: 'default', eventId: id });
  const dismiss = await inbox('dismiss', id);
  const stats = await inbox('stats');
  const prune = await inbox('prune', '--before', '0d');

  expect([list, show, replay, dismiss, stats, prune].map(({ exitCode }) => exitCode)).toEqual([
    0, 0, 1, 0, 0, 0,
  ]);
  expect([list, show, dismiss, stats, prune].map(({ stderr }) => stderr)).toEqual(['', '', '', '', '']);
  expect(list.stdout).toContain(id);
  expect(show.stdout).toContain('display_name');
  expect(unchanged?.runs).toMatchObject([{ state: 'dead' }]);
  expect(dismiss.stdout).toBe(`${id}  dismissed Users.sync\n`);
  expect(stats.stdout).toBe('default  Users.sync  done 1\n');
  expect(prune.stdout).toContain('Deleted 1 event ');
  expect(await store.count()).toBe(0);
}

await describeWithService('postgres', 'scalekit-webhooks inbox on Postgres', (url) => {
  const postgres = PostgresFixture.use();

  it('lists, shows, counts, dismisses and prunes events, and changes nothing for a replay that does not arrive', async () => {
    await runEachCommand(postgres.store, [
      '--store',
      url,
      '--application',
      'test',
      '--schema',
      postgres.schema,
    ]);
  });

  it('reports a missing inbox, and does not create one', async () => {
    const schema = `${postgres.schema}_none`;
    const options = ['--store', url, '--application', 'test', '--schema', schema];

    const { exitCode, stderr } = await runCliCaptured(['inbox', 'list', ...options]);

    expect(stderr).toMatch(/No inbox found in the database.*--schema/);
    expect(exitCode).toBe(1);
    const schemas = await postgres.pool.query('SELECT 1 FROM pg_namespace WHERE nspname = $1', [schema]);
    expect(schemas.rows).toEqual([]);
  });

  it('shows and deletes only events of the application', async () => {
    const id = await recordEvent(postgres.store, { state: 'done' });
    const options = ['--store', url, '--application', 'other', '--schema', postgres.schema];

    const list = await runCliCaptured(['inbox', 'list', ...options]);
    const show = await runCliCaptured(['inbox', 'show', id, ...options]);
    const prune = await runCliCaptured(['inbox', 'prune', '--before', '0d', ...options]);

    expect([list.stdout, list.stderr]).toEqual(['', 'No events found for application "other".\n']);
    expect([show.stdout, show.exitCode]).toEqual(['', 1]);
    expect(prune.stdout).toContain('Deleted 0 events ');
    expect(await postgres.store.count()).toBe(1);
  });

  it('requires --application', () => refuseWithoutApplication(['--store', url]));

  it.each(['', 'a b', 'x'.repeat(65)])('rejects --application %j', async (application) => {
    const options = ['--store', url, '--application', application];

    const { exitCode, stderr } = await runCliCaptured(['inbox', 'list', ...options]);

    expect(stderr).toContain('application must be 1 to 64 letters');
    expect(exitCode).toBe(2);
  });

  it('rejects --prefix', async () => {
    const { exitCode } = await runCliCaptured([
      'inbox',
      'list',
      '--store',
      url,
      '--application',
      'a',
      '--prefix',
      'x',
    ]);

    expect(exitCode).toBe(2);
  });
});

await describeWithService('redis', 'scalekit-webhooks inbox on Redis', (url) => {
  let client: Redis;

  beforeAll(() => {
    client = new Redis(url);
  });

  afterAll(() => client.quit());

  it('lists, shows, counts, dismisses and prunes events, and changes nothing for a replay that does not arrive', async () => {
    const harness = redisInboxHarness(client);
    await runEachCommand(harness.store, [
      '--store',
      url,
      '--application',
      'test',
      '--prefix',
      harness.keyPrefix,
    ]);
    await harness.dispose();
  });

  it('requires --application', () => refuseWithoutApplication(['--store', url]));

  it('rejects --schema', async () => {
    const { exitCode } = await runCliCaptured([
      'inbox',
      'list',
      '--store',
      url,
      '--application',
      'a',
      '--schema',
      'x',
    ]);

    expect(exitCode).toBe(2);
  });
});

describe('scalekit-webhooks inbox on an unreachable server', () => {
  it.each(['postgres', 'redis'] as const)(
    'exits with 1, and does not print the password in the %s URL',
    async (service) => {
      const { protocol } = new URL(serviceUrl(service));
      const store = `${protocol}//user:hunter2@127.0.0.1:1/0`;

      const { exitCode, stdout, stderr } = await runCliCaptured([
        'inbox',
        'list',
        '--store',
        store,
        '--application',
        'test',
      ]);

      expect(stderr).toMatch(/^error: Cannot access the inbox: .*ECONNREFUSED/);
      expect(stderr).not.toContain('hunter2');
      expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' });
    },
  );
});
