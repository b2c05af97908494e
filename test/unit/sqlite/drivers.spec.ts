import { describe, expect, it } from '@jest/globals';
import type Database from 'libsql';
import { type SqliteDatabase, SqliteInboxStore } from '../../../lib/sqlite/index.js';
import { aLease, anEvent } from '../../conformance/inbox-store.harness.js';
import { openSqlite } from '../../helpers/sqlite-files.js';

/** Like better-sqlite3, it refuses to `run` a statement that returns rows, and to read one that returns none. */
function asStrictAsBetterSqlite3(database: Database.Database): SqliteDatabase {
  return {
    exec: (sql) => database.exec(sql),
    prepare: (sql) => {
      const statement = database.prepare(sql);
      return {
        run: (...parameters) => {
          if (statement.reader) throw new TypeError('This statement returns data. Use all() instead');
          return statement.run(...parameters);
        },
        all: (...parameters) => {
          if (!statement.reader)
            throw new TypeError('This statement does not return data. Use run() instead');
          return statement.all(...parameters);
        },
      };
    },
  };
}

async function useEveryMethod(database: SqliteDatabase): Promise<void> {
  const store = new SqliteInboxStore({ database });
  const event = anEvent();
  const lease = aLease();
  await store.claim(event, ['A.run', 'B.run'], lease);
  await store.settle(event, [{ handlerId: 'A.run', state: 'dead' }], lease);
  database.exec('BEGIN');
  await store.complete(database, event, 'B.run', lease);
  database.exec('COMMIT');

  expect(await store.reopen(event)).toEqual(['A.run']);
  expect(Buffer.from((await store.payload(event)) ?? [])).toEqual(event.payload);
  expect(await store.count({ state: 'done' })).toBe(1);
  expect((await store.list({ state: 'failed' })).entries).toEqual([await store.get(event)]);
  expect(await store.prune(new Date(Date.now() + 1))).toBe(1);
}

describe('The connection of SqliteInboxStore', () => {
  it('can be as strict as better-sqlite3', async () => {
    await expect(useEveryMethod(asStrictAsBetterSqlite3(openSqlite(':memory:')))).resolves.toBeUndefined();
  });

  it('can return integers as BigInt', async () => {
    const database = openSqlite(':memory:', { timeout: 1234 });
    database.defaultSafeIntegers();

    await expect(useEveryMethod(database)).resolves.toBeUndefined();
    expect(database.prepare('PRAGMA busy_timeout').all()).toEqual([{ timeout: 1234n }]);
  });
});
