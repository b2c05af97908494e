import { beforeEach, describe, expect, it } from '@jest/globals';
import { SqliteInboxStore } from 'nestjs-scalekit-webhooks/sqlite';
import { recordEvent } from '../../helpers/cli-inbox.js';
import { runCliCaptured } from '../../helpers/run-cli-captured.js';
import { openSqlite, sqliteFile } from '../../helpers/sqlite-files.js';

const DEAD = { state: 'dead', error: { name: 'Error', message: 'no tenant' } } as const;

let store: SqliteInboxStore;
let env: Record<string, string>;

beforeEach(async () => {
  const file = await sqliteFile();
  store = new SqliteInboxStore({ database: openSqlite(file) });
  env = { SCALEKIT_INBOX_URL: `sqlite:${file}` };
  await store.ping();
});

const inbox = (...argv: string[]) => runCliCaptured(['inbox', ...argv], { env });

describe('scalekit-webhooks inbox dismiss', () => {
  it('marks a dead run as done, and keeps its error', async () => {
    const id = await recordEvent(store, DEAD);

    const { exitCode, stdout, stderr } = await inbox('dismiss', id);

    expect({ exitCode, stdout, stderr }).toEqual({
      exitCode: 0,
      stdout: `${id}  dismissed Users.sync\n`,
      stderr: '',
    });
    const shown = (await inbox('show', id)).stdout;
    expect(shown).toMatch(/done, 1 attempt, updated \S+\n {10}Error: no tenant$/m);
  });

  it('dismisses the runs of all matching events of the endpoint', async () => {
    await recordEvent(store, DEAD);
    await recordEvent(store, DEAD);
    await recordEvent(store, DEAD, { endpoint: 'partners' });
    await recordEvent(store, undefined);

    const { exitCode, stdout } = await inbox('dismiss', '--type', 'organization.created');

    expect(stdout.trimEnd().split('\n')).toHaveLength(2);
    expect(exitCode).toBe(0);
    expect([await store.count({ state: 'dead' }), await store.count({ state: 'running' })]).toEqual([1, 1]);
  });

  it('dismisses the runs of the events that match every condition', async () => {
    const wanted = await recordEvent(store, DEAD, { organizationId: 'org_1' });
    await recordEvent(store, DEAD, { organizationId: 'org_2' });

    const { stdout } = await inbox(
      'dismiss',
      '--organization',
      'org_1',
      '--error',
      'tenant',
      '--run-of',
      'Users.sync',
    );

    expect(stdout).toBe(`${wanted}  dismissed Users.sync\n`);
    expect(await store.count({ state: 'dead' })).toBe(1);
  });

  it('refuses a handler that has no run, and names those that have', async () => {
    const id = await recordEvent(store, DEAD);

    const { exitCode, stderr } = await inbox('dismiss', id, '--handler', 'Users.snyc');

    expect(stderr).toContain('This event has no run of "Users.snyc". It has runs of: Users.sync.');
    expect(exitCode).toBe(1);
    expect(await store.count({ state: 'dead' })).toBe(1);
  });

  it('exits with 1 for an unknown event, and if there is nothing to dismiss', async () => {
    const done = await recordEvent(store, { state: 'done' });

    expect(await inbox('dismiss', done)).toMatchObject({
      exitCode: 1,
      stderr: expect.stringMatching(/^Nothing/),
    });
    expect(await inbox('dismiss', 'evt_none')).toMatchObject({ exitCode: 1, stdout: '' });
    expect((await inbox('dismiss')).exitCode).toBe(2);
  });
});

describe('scalekit-webhooks inbox stats', () => {
  it('counts the runs of each handler by state', async () => {
    const dead = await recordEvent(store, DEAD);
    await recordEvent(store, DEAD);
    await recordEvent(store, { state: 'done' });
    await recordEvent(store, { state: 'done' }, { endpoint: 'partners' });
    const receivedAt = (await store.get({ endpoint: 'default', eventId: dead }))?.receivedAt.toISOString();

    const all = await inbox('stats');
    const one = await inbox('stats', '--endpoint', 'partners');
    const json = JSON.parse((await inbox('stats', '--json')).stdout);

    expect(all.stdout).toBe(
      `default  Users.sync  done 1, dead 2 (oldest ${receivedAt})\npartners  Users.sync  done 1\nAll handlers: done 2, dead 2\n`,
    );
    expect(one.stdout).toBe('partners  Users.sync  done 1\n');
    expect(json).toHaveLength(3);
    expect(json[1]).toEqual({
      endpoint: 'default',
      handlerId: 'Users.sync',
      state: 'dead',
      count: 2,
      oldestReceivedAt: receivedAt,
    });
  });

  it('counts only the runs that match every condition, also by what their events are', async () => {
    await recordEvent(store, DEAD, { organizationId: 'org_1' });
    await recordEvent(store, { state: 'done' }, { organizationId: 'org_1' });
    await recordEvent(store, DEAD, { organizationId: 'org_2' });

    const ofState = await inbox('stats', '--state', 'dead');
    const ofOrganization = await inbox('stats', '--organization', 'org_1', '--received-after', '1h');
    const ofError = await inbox(
      'stats',
      '--organization',
      'org_1',
      '--error',
      'TENANT',
      '--run-of',
      'Users.sync',
    );
    const ofNone = await inbox('stats', '--type', 'user.created');

    expect(ofState.stdout).toMatch(/^default {2}Users\.sync {2}dead 2 \(oldest \S+\)\n$/);
    expect(ofOrganization.stdout).toMatch(/^default {2}Users\.sync {2}done 1, dead 1 \(oldest \S+\)\n$/);
    expect(ofError.stdout).toMatch(/^default {2}Users\.sync {2}dead 1 \(oldest \S+\)\n$/);
    expect(ofNone.stderr).toBe('No runs found.\n');
  });

  it('says that there are no runs', async () => {
    expect(await inbox('stats')).toEqual({ exitCode: 0, stdout: '', stderr: 'No runs found.\n' });
  });
});
