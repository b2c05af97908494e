// The command line finds the driver that the application has installed.
import { equal, match, throws } from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import Database from 'libsql';
import { SqliteInboxStore } from 'nestjs-scalekit-webhooks/sqlite';

throws(() => createRequire(import.meta.url).resolve('class-validator'), { code: 'MODULE_NOT_FOUND' });

const file = 'inbox.db';
const database = new Database(file);
const store = new SqliteInboxStore({ database });
const event = { endpoint: 'default', eventId: 'evt_1', type: 'user.created', occurredAt: '' };
await store.claim({ ...event, payload: Buffer.from('{}') }, ['Users.create'], {
  token: 'a',
  durationMs: 1000,
});
await store.close();
database.close();

const output = execFileSync('scalekit-webhooks', ['inbox', 'stats', '--store', `sqlite:${file}`]);
match(output.toString(), /^default {2}Users\.create {2}running 1/);
equal(output.toString().trim().split('\n').length, 1);
for (const suffix of ['', '-wal', '-shm']) rmSync(`${file}${suffix}`, { force: true });
