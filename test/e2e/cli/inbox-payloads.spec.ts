import { expect, describe as group, it } from '@jest/globals';
import type { PayloadOptions } from '../../../lib/inbox/inbox-options.js';
import { PAYLOAD_MARKER, recordEvent } from '../../helpers/cli-inbox.js';
import { PAYLOAD_DATABASES } from '../../helpers/payload-stores.js';
import { runCliCaptured } from '../../helpers/run-cli-captured.js';
import { describeWithService } from '../../helpers/services.js';

const keyOf = (id: string, byte: number) => ({ id, secret: Buffer.alloc(32, byte).toString('base64') });
const [OLD, NEW] = [keyOf('2025', 1), keyOf('2026', 2)];
const BY_OLD: PayloadOptions = { encryption: { keys: [OLD] } };
const BY_NEW: PayloadOptions = { encryption: { keys: [NEW] } };
const envOf = (...keys: (typeof OLD)[]) => ({
  SCALEKIT_INBOX_KEYS: keys.map(({ id, secret }) => `${id}:${secret}`).join(','),
});

await describeWithService('postgres', 'scalekit-webhooks inbox, with payloads that are encrypted', () => {
  group.each(PAYLOAD_DATABASES)('in %s', (_name, openDatabase) => {
    async function open() {
      const database = await openDatabase();
      const inbox = (env: Record<string, string>, ...argv: string[]) =>
        runCliCaptured(['inbox', ...argv, ...database.cli], { env });
      const payloadOf = (eventId: string, options: PayloadOptions) =>
        database.open(options).payload({ endpoint: 'default', eventId });
      return { database, inbox, payloadOf };
    }

    it('encrypts all of them with the first key, prints how many, and can be repeated', async () => {
      const { database, inbox, payloadOf } = await open();
      const ids = [
        await recordEvent(database.open(), { state: 'done' }),
        await recordEvent(database.open(BY_OLD), { state: 'dead', error: { name: 'Error', message: 'x' } }),
        await recordEvent(database.open(BY_NEW), undefined),
      ];

      const first = await inbox(envOf(NEW, OLD), 'reencrypt');
      const second = await inbox(envOf(NEW), 'reencrypt');

      expect(first).toEqual({
        exitCode: 0,
        stdout: 'Encrypted 2 payloads with the first key. 1 event needed no change. 0 cannot be decrypted.\n',
        stderr: '',
      });
      expect(second.stdout).toBe(
        'Encrypted 0 payloads with the first key. 3 events needed no change. 0 cannot be decrypted.\n',
      );
      for (const id of ids) expect(String(await payloadOf(id, BY_NEW))).toContain(PAYLOAD_MARKER);
    });

    it('names the events that it cannot decrypt, and leaves them as they are', async () => {
      const { database, inbox, payloadOf } = await open();
      const lost = await recordEvent(database.open(BY_OLD), { state: 'done' });
      await recordEvent(database.open(), { state: 'done' });

      const { exitCode, stdout, stderr } = await inbox(envOf(NEW), 'reencrypt');

      expect([exitCode, stdout, stderr]).toEqual([
        1,
        'Encrypted 1 payload with the first key. 0 events needed no change. 1 cannot be decrypted.\n',
        `cannot be decrypted  default  ${lost}\n`,
      ]);
      expect(String(await payloadOf(lost, BY_OLD))).toContain(PAYLOAD_MARKER);
    });

    it('continues at a cursor', async () => {
      const { database, inbox } = await open();
      for (let count = 0; count < 3; count += 1) await recordEvent(database.open(), { state: 'done' });
      const { nextCursor = '' } = await database.open().list({}, { limit: 2 });

      const { stdout } = await inbox(envOf(NEW), 'reencrypt', '--cursor', nextCursor);

      expect(stdout).toContain('Encrypted 1 payload ');
    });

    it('shows a payload with its key, and without it says what to set', async () => {
      const { database, inbox } = await open();
      const id = await recordEvent(database.open(BY_OLD), { state: 'done' });

      expect((await inbox(envOf(OLD), 'show', id, '--payload')).stdout).toContain(PAYLOAD_MARKER);
      for (const env of [{}, envOf(NEW)]) {
        const { exitCode, stderr } = await inbox(env, 'show', id, '--payload');
        expect([exitCode, stderr]).toEqual([
          1,
          expect.stringMatching(/^error: .*with the key "2025"\. Set SCALEKIT_INBOX_KEYS/),
        ]);
      }
      expect((await inbox({}, 'show', id)).exitCode).toBe(0);
    });

    it('replays the events that it can read, and reports the others', async () => {
      const { database, inbox } = await open();
      const failure = { state: 'dead', error: { name: 'Error', message: 'x' } } as const;
      const lost = await recordEvent(database.open(BY_OLD), failure);
      const found = await recordEvent(database.open(BY_NEW), failure);
      const target = ['--secret', 'whsec_b2xk', '--url', 'http://127.0.0.1:1/hooks'];

      const { exitCode, stdout } = await inbox(envOf(NEW), 'replay', '--state', 'dead', ...target);

      expect(exitCode).toBe(1);
      expect(stdout).toMatch(new RegExp(`${lost}  the payload cannot be decrypted; set SCALEKIT_INBOX_KEYS`));
      expect(stdout).toMatch(new RegExp(`${found}  the request failed`));
    });
  });

  it.each([
    ['no keys', {}, 'No keys. Set SCALEKIT_INBOX_KEYS'],
    ['a key without an id', { SCALEKIT_INBOX_KEYS: OLD.secret }, 'SCALEKIT_INBOX_KEYS must be'],
    ['a short key', { SCALEKIT_INBOX_KEYS: '2025:c2hvcnQ=' }, 'SCALEKIT_INBOX_KEYS must be'],
    ['the same id twice', envOf(OLD, OLD), 'SCALEKIT_INBOX_KEYS must be'],
  ])('refuses %s, and prints none', async (_what, env, message) => {
    const [, openDatabase] = PAYLOAD_DATABASES[1];
    const { cli } = await openDatabase();

    const { exitCode, stderr } = await runCliCaptured(['inbox', 'reencrypt', ...cli], { env });

    expect([exitCode, stderr.includes(message)]).toEqual([2, true]);
    expect(stderr).not.toContain(OLD.secret.slice(0, 20));
  });
});

group('scalekit-webhooks secret --encryption', () => {
  it('prints 32 bytes as base64, different each time', async () => {
    const [one, other] = [
      await runCliCaptured(['secret', '--encryption']),
      await runCliCaptured(['secret', '--encryption']),
    ];

    expect(Buffer.from(one.stdout.trim(), 'base64')).toHaveLength(32);
    expect(one.stdout).toMatch(/^[\w+/]{43}=\n$/);
    expect(other.stdout).not.toBe(one.stdout);
    expect(one.stderr).toContain('back it up');
  });

  it('prints a line for .env that the other commands accept', async () => {
    const [, openDatabase] = PAYLOAD_DATABASES[1];
    const { cli } = await openDatabase();
    const { stdout } = await runCliCaptured(['secret', '--encryption', '--env']);
    const [, SCALEKIT_INBOX_KEYS = ''] = /^SCALEKIT_INBOX_KEYS=(\d{4}-\d\d-\d\d:.*)\n$/.exec(stdout) ?? [];

    const { exitCode } = await runCliCaptured(['inbox', 'reencrypt', ...cli], {
      env: { SCALEKIT_INBOX_KEYS },
    });

    expect(exitCode).toBe(0);
  });
});
