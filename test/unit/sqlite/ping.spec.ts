import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { InboxUnusableError } from 'nestjs-scalekit-webhooks';
import { type SqliteDatabase, SqliteInboxStore } from 'nestjs-scalekit-webhooks/sqlite';
import { cleanUpAfterTest } from '../../helpers/cleanup.js';
import { sqliteDrivers, sqliteFile } from '../../helpers/sqlite-files.js';

const WRITABLE = 'Open the connection for writing. The process needs the right to write the file';

describe.each(sqliteDrivers('The ping of SqliteInboxStore'))(
  'The ping of SqliteInboxStore, with %s',
  (_name, open) => {
    async function problemsOf(database: SqliteDatabase): Promise<readonly string[]> {
      try {
        await new SqliteInboxStore({ database, busyTimeoutMs: 20 }).ping();
        return [];
      } catch (error) {
        if (error instanceof InboxUnusableError) return error.problems;
        throw error;
      }
    }

    /** A file with the tables of an inbox. */
    async function inboxFile(): Promise<string> {
      const file = await sqliteFile();
      const database = open(file);
      await new SqliteInboxStore({ database }).ping();
      return file;
    }

    it('resolves, with the tables created', async () => {
      const file = await sqliteFile();

      expect(await problemsOf(open(file))).toEqual([]);
      expect(await problemsOf(open(file))).toEqual([]);
    });

    it.each<[string, () => Promise<SqliteDatabase>, string | RegExp]>([
      [
        'on a connection that only reads',
        async () => {
          const database = open(await inboxFile());
          database.exec('PRAGMA query_only = ON');
          return database;
        },
        WRITABLE,
      ],
      [
        'if another connection keeps a transaction open',
        async () => {
          const file = await inboxFile();
          open(file).exec('BEGIN IMMEDIATE');
          return open(file);
        },
        /database is locked\. Another transaction has been open for longer than busyTimeoutMs\. Find/,
      ],
      [
        'on tables of a newer version',
        async () => {
          const database = open(await inboxFile());
          database.exec('UPDATE scalekit_webhooks_meta SET version = version + 1');
          return database;
        },
        /^A newer version of nestjs-scalekit-webhooks created .*Update the package in this application\.$/,
      ],
      ...['handlers', 'pauses', 'entities', 'keys', 'recoveries'].map(
        (table): [string, () => Promise<SqliteDatabase>, RegExp] => [
          `without the table of ${table}`,
          async () => {
            const database = open(await inboxFile());
            database.exec(`DROP TABLE scalekit_webhooks_${table}`);
            return database;
          },
          new RegExp(`no such table: scalekit_webhooks_${table}\\. Something else has changed the tables`),
        ],
      ),
      [
        'on a file that is no database',
        async () => {
          const file = await sqliteFile();
          await writeFile(file, 'no database'.repeat(1000));
          return open(file);
        },
        /file is not a database\. The file is damaged, or is not a SQLite database/,
      ],
      [
        'on a damaged file',
        async () => {
          const file = await inboxFile();
          const damaged = await sqliteFile();
          const bytes = await readFile(file);
          await writeFile(damaged, bytes.fill(0xff, 100, 4000));
          return open(damaged);
        },
        /malformed.* The file is damaged, or is not a SQLite database/,
      ],
      [
        'on a connection that is closed',
        async () => {
          const database = open(await inboxFile());
          Reflect.apply(Reflect.get(database, 'close'), database, []);
          return database;
        },
        /not open\. Give the store an open connection/,
      ],
    ])('says what is wrong and what to do %s', async (_case, arrange, problem) => {
      expect(await problemsOf(await arrange())).toEqual([
        typeof problem === 'string' ? expect.stringContaining(problem) : expect.stringMatching(problem),
      ]);
    });

    it.each([
      ['whose directory cannot be written', 0o555, 0o666],
      ['that cannot be written', 0o777, 0o444],
    ])('says that the process needs rights on a file %s', async (_case, directoryMode, fileMode) => {
      const file = await inboxFile();
      const other = `${dirname(file)}/closed/inbox.db`;
      await mkdir(dirname(other));
      await writeFile(other, await readFile(file));
      await chmod(other, fileMode);
      await chmod(dirname(other), directoryMode);
      await chmod(dirname(file), 0o755);
      cleanUpAfterTest(asOrdinaryUser());

      const problems = await problemsOf(open(other));

      expect(problems).toEqual([expect.stringMatching(new RegExp(`readonly database\\. ${WRITABLE}`))]);
    });
  },
);

/** Root may write everything. Returns a function that ends it. */
function asOrdinaryUser(): () => void {
  if (process.geteuid?.() !== 0) return () => {};
  process.seteuid?.(65_534);
  return () => process.seteuid?.(0);
}
