import { existsSync } from 'node:fs';
import { beforeEach, describe, expect, it } from '@jest/globals';
import { SqliteInboxStore } from 'nestjs-scalekit-webhooks/sqlite';
import { aLease, anEvent } from '../../conformance/inbox-store.harness.js';
import { PAYLOAD_MARKER, recordEvent } from '../../helpers/cli-inbox.js';
import { runCliCaptured } from '../../helpers/run-cli-captured.js';
import { openSqlite, sqliteFile } from '../../helpers/sqlite-files.js';

const FAILURE = { name: 'Error', message: 'no\n\u001b[31mtenant' };

describe('scalekit-webhooks inbox', () => {
  let file: string;
  let store: SqliteInboxStore;
  let env: Record<string, string>;

  beforeEach(async () => {
    file = await sqliteFile();
    store = new SqliteInboxStore({ database: openSqlite(file) });
    env = { SCALEKIT_INBOX_URL: `sqlite:${file}` };
    await store.ping();
  });

  const inbox = (...argv: string[]) => runCliCaptured(['inbox', ...argv], { env });

  describe('list', () => {
    it('prints each event on one line, oldest first, without its payload', async () => {
      const first = await recordEvent(store, { state: 'dead', error: FAILURE });
      const second = await recordEvent(store, { state: 'done' }, { endpoint: 'partners' });

      const { exitCode, stdout, stderr } = await inbox('list');

      const [one, two, ...more] = stdout.trimEnd().split('\n');
      expect(one).toMatch(
        /^\d{4}-\d\d-\d\dT[\d:.]+Z {2}default {2}evt_\w+ {2}organization\.created {2}Users\.sync dead$/,
      );
      expect([one?.includes(first), two?.includes(second), two?.includes('partners')]).toEqual([
        true,
        true,
        true,
      ]);
      expect(more).toEqual([]);
      expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    });

    it('prints only matching events', async () => {
      await recordEvent(store, { state: 'done' });
      const dead = await recordEvent(store, { state: 'dead', error: FAILURE });
      await recordEvent(store, { state: 'dead', error: FAILURE }, { endpoint: 'partners' });

      const matching = await inbox('list', '--state', 'dead', '--endpoint', 'default', '--json');
      const others = await inbox('list', '--type', 'user.created');

      expect(JSON.parse(matching.stdout).entries).toMatchObject([{ eventId: dead }]);
      expect(others).toEqual({ exitCode: 0, stdout: '', stderr: 'No events found.\n' });
    });

    it('finds events by handler, error, organization, entity and time', async () => {
      const found = await recordEvent(
        store,
        { state: 'dead', error: FAILURE },
        { organizationId: 'org_1', entity: 'organization:org_1' },
      );
      await recordEvent(store, { state: 'done' }, { organizationId: 'org_2', entity: 'organization:org_2' });

      for (const conditions of [
        ['--run-of', 'Users.sync', '--state', 'dead'],
        ['--error', 'TENANT'],
        ['--organization', 'org_1'],
        ['--entity', 'organization:org_1'],
        ['--received-after', '1h', '--error', 'error'],
      ]) {
        expect(JSON.parse((await inbox('list', ...conditions, '--json')).stdout).entries).toMatchObject([
          { eventId: found, organizationId: 'org_1', entity: 'organization:org_1' },
        ]);
      }
      for (const conditions of [
        ['--run-of', 'Users.snyc'],
        ['--error', '%'],
        ['--received-before', '1h'],
      ]) {
        expect((await inbox('list', ...conditions)).stdout).toBe('');
      }
    });

    it.each([
      [['--entity', 'usr_1'], 'Use an entity as `inbox show` prints it'],
      [['--error', ''], 'Use at least one character.'],
      [['--organization', ''], 'Use at least one character.'],
      [['--received-after', 'yesterday'], 'Use an ISO 8601 date'],
      [['--received-before', '2999-01-01'], 'This time is in the future.'],
      [
        ['--received-after', '1h', '--received-before', '2h'],
        '--received-after must be before --received-before.',
      ],
    ])('refuses %j', async (conditions, reason) => {
      const { exitCode, stderr } = await inbox('list', ...conditions);

      expect(stderr).toContain(reason);
      expect(exitCode).toBe(2);
    });

    it('prints at most --limit events, and a cursor to continue', async () => {
      const ids: string[] = [];
      for (let count = 0; count < 3; count += 1) ids.push(await recordEvent(store, { state: 'done' }));

      const first = await inbox('list', '--limit', '2');
      const cursor = /--cursor (\S+)/.exec(first.stderr)?.[1] ?? '';
      const second = await inbox('list', '--cursor', cursor);

      expect(first.stdout.trimEnd().split('\n')).toHaveLength(2);
      expect(second.stdout).toContain(ids[2]);
      expect(second.stdout).not.toContain(ids[1]);
    });

    it('reads several pages if necessary', async () => {
      await Promise.all(Array.from({ length: 205 }, () => recordEvent(store, { state: 'done' })));

      const { entries, nextCursor } = JSON.parse((await inbox('list', '--limit', '1000', '--json')).stdout);

      expect(entries).toHaveLength(205);
      expect(nextCursor).toBeUndefined();
      expect(JSON.stringify(entries)).not.toContain(PAYLOAD_MARKER);
    });
  });

  describe('show', () => {
    it('says that a handler did not run because its event was stale', async () => {
      const [older, newer] = [anEvent(), anEvent()];
      for (const [event, occurredAt] of [
        [newer, 20],
        [older, 10],
      ] as const) {
        const lease = aLease();
        await store.claim(event, ['Users.sync'], lease);
        await store.admit(event, 'Users.sync', lease, { name: 'user:usr_1', occurredAt });
        await store.settle(event, [{ handlerId: 'Users.sync', state: 'done' }], lease);
      }

      const [stale, done] = [await inbox('show', older.eventId), await inbox('show', newer.eventId)];

      expect(stale.stdout).toMatch(/done \(stale\), 1 attempt, updated/);
      expect(done.stdout).toMatch(/done, 1 attempt, updated/);
      const { runs } = JSON.parse((await inbox('show', older.eventId, '--json')).stdout);
      expect(runs).toMatchObject([{ state: 'done', note: 'stale' }]);
    });

    it('prints the state of each run, without the payload or control characters', async () => {
      const id = await recordEvent(store, { state: 'dead', error: FAILURE });

      const { exitCode, stdout, stderr } = await inbox('show', id);

      expect(stdout).toContain(id);
      expect(stdout).toMatch(
        /^Handler {3}Users\.sync\n {10}dead, 1 attempt, updated \S+\n {10}Error: no {2}\[31mtenant$/m,
      );
      expect(stdout).not.toContain(PAYLOAD_MARKER);
      expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    });

    it('prints the organization and the entity of the event', async () => {
      const about = { organizationId: 'org_1', entity: 'user:usr_1' };
      const id = await recordEvent(store, { state: 'done' }, about);

      expect((await inbox('show', id)).stdout).toMatch(/^Org\. {6}org_1\nEntity {4}user:usr_1$/m);
    });

    it('prints the payload with --payload', async () => {
      const id = await recordEvent(store, { state: 'done' });

      const text = await inbox('show', id, '--payload');
      const json = JSON.parse((await inbox('show', id, '--payload', '--json')).stdout);
      const without = JSON.parse((await inbox('show', id, '--json')).stdout);

      expect(text.stdout).toContain(`"display_name":"${PAYLOAD_MARKER}"`);
      expect(JSON.parse(json.payload)).toMatchObject({ id });
      expect(without).toMatchObject({ eventId: id, runs: [{ handlerId: 'Users.sync', state: 'done' }] });
      expect(without).not.toHaveProperty('payload');
    });

    it('exits with 1 if the endpoint has not received the event', async () => {
      const id = await recordEvent(store, { state: 'done' }, { endpoint: 'partners' });

      expect((await inbox('show', id, '--endpoint', 'partners')).exitCode).toBe(0);
      const { exitCode, stderr } = await inbox('show', id);
      expect(stderr).toContain(`error: The inbox of endpoint "default" has no event "${id}".`);
      expect(exitCode).toBe(1);
    });
  });

  describe('prune', () => {
    it('deletes older events, and keeps newer ones and those with a run in progress', async () => {
      await recordEvent(store, { state: 'done' });
      const running = await recordEvent(store, undefined);

      const kept = await inbox('prune', '--before', '1d');
      const forgotten = await inbox('prune', '--before', '0h');

      expect(kept.stdout).toMatch(/^Deleted 0 events received before \d{4}-/);
      expect(forgotten.stdout).toMatch(/^Deleted 1 event /);
      expect((await store.list()).entries).toMatchObject([{ eventId: running }]);
      expect((await inbox('prune', '--before', '2020-01-31T12:00:00Z')).exitCode).toBe(0);
    });
  });

  describe('erase', () => {
    const organizationId = 'org_1';

    it('says how many events match, and erases nothing without --yes', async () => {
      const eventId = await recordEvent(store, { state: 'dead', error: FAILURE }, { organizationId });

      const { exitCode, stdout } = await inbox('erase', '--organization', 'org_1');

      expect({ exitCode, stdout }).toEqual({
        exitCode: 1,
        stdout: 'Nothing was erased. To erase 1 event permanently, add --yes.\n',
      });
      expect(await store.payload({ endpoint: 'default', eventId })).toBeDefined();
    });

    it('erases the events of all endpoints, and shows that they are', async () => {
      const eventId = await recordEvent(store, { state: 'dead', error: FAILURE }, { organizationId });
      await recordEvent(store, { state: 'done' }, { organizationId, endpoint: 'partners' });

      const erased = await inbox('erase', '--organization', 'org_1', '--yes');

      expect({ ...erased }).toMatchObject({ exitCode: 0, stdout: 'Erased 2 events.\n' });
      expect((await inbox('list', '--endpoint', 'default')).stdout).toMatch(
        / {2}erased {2}Users\.sync dead$/m,
      );
      const { stdout } = await inbox('show', eventId, '--payload');
      expect(stdout).toMatch(/^Erased {4}\d{4}-/m);
      expect(stdout).toMatch(/^ {10}Error$/m);
      expect(stdout).toContain('the payload of this event was erased');
      expect(JSON.parse((await inbox('show', eventId, '--json')).stdout)).toHaveProperty('erasedAt');
    });

    it('erases the events about an entity, of one endpoint', async () => {
      const entity = 'user:usr_1';
      await recordEvent(store, { state: 'done' }, { entity });
      await recordEvent(store, { state: 'done' }, { entity, endpoint: 'partners' });

      const { stdout } = await inbox('erase', '--entity', entity, '--endpoint', 'partners', '--yes');

      expect(stdout).toBe('Erased 1 event.\n');
    });
  });

  describe('rejects', () => {
    it.each([
      ['a file that does not exist', (path: string) => `${path}.none`, /File not found: .*\.none/],
      ['a database without an inbox', (path: string) => `${path}.other`, /No inbox found in/],
    ])('%s, and leaves nothing behind', async (_case, at, reason) => {
      const path = at(file);
      if (path.endsWith('.other')) openSqlite(path).exec('CREATE TABLE users (id)');
      const { exitCode, stdout, stderr } = await inbox('list', '--store', `sqlite:${path}`);

      expect(stderr).toMatch(reason);
      expect({ exitCode, stdout, exists: existsSync(`${file}.none`) }).toEqual({
        exitCode: 1,
        stdout: '',
        exists: false,
      });
    });

    it.each([
      ['a missing inbox', ['list'], {}, /Set SCALEKIT_INBOX_URL/],
      [
        'an unsupported inbox URL',
        ['list', '--store', 'mysql://u:hunter2@host/db'],
        {},
        /Unsupported inbox URL/,
      ],
      [
        'a schema for SQLite',
        ['list', '--store', 'sqlite:FILE', '--schema', 'x'],
        {},
        /--schema does not apply/,
      ],
      ['an invalid prefix', ['list', '--store', 'sqlite:FILE', '--prefix', 'a-b'], {}, /tablePrefix must be/],
      ['an unknown state', ['list', '--state', 'asleep'], {}, /Allowed choices/],
      ['a limit of zero', ['list', '--limit', '0'], {}, /greater than 0/],
      ['show without an event', ['show'], {}, /missing required argument/],
      [
        'erase without a target',
        ['erase', '--store', 'sqlite:FILE'],
        {},
        /either --organization or --entity/,
      ],
      ['erase with two targets', ['erase', '--organization', 'a', '--entity', 'user:b'], {}, /either/],
      ['prune without a time', ['prune'], {}, /--before/],
      ['a malformed time', ['prune', '--before', 'yesterday'], {}, /ISO 8601/],
      ['a date that does not exist', ['prune', '--before', '2026-13-01'], {}, /ISO 8601/],
      ['a time in the future', ['prune', '--before', '2999-01-01'], {}, /future/],
      ['replay without an event or a filter', ['replay'], {}, /Specify either/],
      ['replay with an event and a filter', ['replay', 'evt_1', '--state', 'dead'], {}, /Specify either/],
      [
        'replay without a secret',
        ['replay', 'evt_1', '--store', 'sqlite:FILE'],
        {},
        /SCALEKIT_WEBHOOK_SECRET/,
      ],
      ['a missing subcommand', [], {}, /Usage/],
    ])('%s', async (_case, argv, environment, reason) => {
      const words = argv.map((word) => word.replace('FILE', file));
      const { exitCode, stdout, stderr } = await runCliCaptured(['inbox', ...words], { env: environment });

      expect(stderr).toMatch(reason);
      expect(stderr).not.toContain('hunter2');
      expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    });
  });

  it.each([[], ['list'], ['show'], ['replay'], ['erase'], ['prune']])(
    'prints usage and examples for %s',
    async (...argv) => {
      const { exitCode, stdout } = await inbox(...argv.filter((word) => typeof word === 'string'), '--help');

      expect(exitCode).toBe(0);
      expect(stdout).toContain('Usage: scalekit-webhooks inbox');
      expect(stdout).toContain('Examples:\n  $ ');
    },
  );
});
