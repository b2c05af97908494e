import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import type { InboxStore } from 'nestjs-scalekit-webhooks';
import { recordEvent } from '../../helpers/cli-inbox.js';
import { PostgresLedger } from '../../helpers/postgres-ledger.js';
import { redisInboxHarness } from '../../helpers/redis-inbox.js';
import { runCliCaptured } from '../../helpers/run-cli-captured.js';
import { serviceUrl } from '../../helpers/service-url.js';
import { describeWithService } from '../../helpers/services.js';

/** What the tool does with any inbox. */
async function lookAtAndPrune(store: InboxStore, options: string[]): Promise<void> {
  const inbox = (command: string, ...argv: string[]) =>
    runCliCaptured(['inbox', command, ...options, ...argv]);
  const id = await recordEvent(store, { state: 'dead', error: { name: 'Error', message: 'no tenant' } });

  const list = await inbox('list', '--state', 'dead');
  const show = await inbox('show', id, '--payload');
  const replay = await inbox('replay', id, '--secret', 'whsec_b2xk', '--url', 'http://127.0.0.1:1/hooks');
  const reopened = await store.get({ endpoint: 'default', eventId: id });
  const prune = await inbox('prune', '--before', '0d');

  expect([list, show, replay, prune].map(({ exitCode }) => exitCode)).toEqual([0, 0, 1, 0]);
  expect([list, show, prune].map(({ stderr }) => stderr)).toEqual(['', '', '']);
  expect(list.stdout).toContain(id);
  expect(show.stdout).toContain('display_name');
  expect(reopened?.runs).toMatchObject([{ state: 'failed' }]);
  expect(prune.stdout).toContain('Forgot 1 event');
  expect(await store.count()).toBe(0);
}

await describeWithService('postgres', 'scalekit-webhooks inbox on Postgres', (url) => {
  const ledger = PostgresLedger.use();

  it('lists, shows, reopens and prunes', async () => {
    await lookAtAndPrune(ledger.store, ['--store', url, '--schema', ledger.schema]);
  });

  it('says that there is no inbox, and makes none', async () => {
    const options = ['--store', url, '--schema', `${ledger.schema}_none`];

    const { exitCode, stderr } = await runCliCaptured(['inbox', 'list', ...options]);

    expect(stderr).toMatch(/There is no inbox in the database.*--schema/);
    expect(exitCode).toBe(1);
    const schemas = await ledger.pool.query('SELECT 1 FROM pg_namespace WHERE nspname = $1', [options[3]]);
    expect(schemas.rows).toEqual([]);
  });

  it('takes no prefix', async () => {
    const { exitCode } = await runCliCaptured(['inbox', 'list', '--store', url, '--prefix', 'x']);

    expect(exitCode).toBe(2);
  });
});

await describeWithService('redis', 'scalekit-webhooks inbox on Redis', (url) => {
  let client: Redis;

  beforeAll(() => {
    client = new Redis(url);
  });

  afterAll(() => client.quit());

  it('lists, shows, reopens and prunes', async () => {
    const harness = redisInboxHarness(client);
    await lookAtAndPrune(harness.store, ['--store', url, '--prefix', harness.keyPrefix]);
    await harness.dispose();
  });

  it('takes no schema', async () => {
    const { exitCode } = await runCliCaptured(['inbox', 'list', '--store', url, '--schema', 'x']);

    expect(exitCode).toBe(2);
  });
});

describe('scalekit-webhooks inbox, where nothing listens,', () => {
  it.each(['postgres', 'redis'] as const)(
    'exits with 1, without the password of the %s URL',
    async (service) => {
      const { protocol } = new URL(serviceUrl(service));
      const store = `${protocol}//user:hunter2@127.0.0.1:1/0`;

      const { exitCode, stdout, stderr } = await runCliCaptured(['inbox', 'list', '--store', store]);

      expect(stderr).toMatch(/^error: The inbox cannot be used: .*ECONNREFUSED/);
      expect(stderr).not.toContain('hunter2');
      expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' });
    },
  );
});
