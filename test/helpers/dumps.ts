import type { Redis } from 'ioredis';
import { type PostgresQueryable, queryRows } from '../../lib/postgres/postgres-queryable.js';
import type { SqliteDatabase } from '../../lib/sqlite/index.js';
import { keysBelow } from './redis-inbox.js';

/** Everything that a store holds, as text. */
export type Dump = () => Promise<string>;

/** All rows of all tables of a schema. */
export function postgresDump(client: PostgresQueryable, schema: string): Dump {
  return async () => {
    const tables = await queryRows(client, 'SELECT tablename FROM pg_tables WHERE schemaname = $1', [schema]);
    const rows = await Promise.all(
      tables.map(({ tablename }) => queryRows(client, `SELECT * FROM "${schema}"."${tablename}"`)),
    );
    return textOf(rows);
  };
}

/** All rows of all tables of a file. */
export function sqliteDump(database: SqliteDatabase): Dump {
  return async () => {
    const tables = database.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").all();
    return textOf(
      tables.map((table) => database.prepare(`SELECT * FROM ${Reflect.get(Object(table), 'name')}`).all()),
    );
  };
}

/** All keys that begin with a prefix. */
export function redisDump(client: Redis, keyPrefix: string): Dump {
  return async () => {
    const values = (await keysBelow(client, keyPrefix)).map(async (key) => {
      const kind = await client.type(key);
      if (kind === 'string') return [key, await client.get(key)];
      if (kind === 'hash') return [key, await client.hgetall(key)];
      if (kind === 'list') return [key, await client.lrange(key, 0, -1)];
      if (kind === 'zset') return [key, await client.zrange(key, 0, -1)];
      return [key, kind === 'stream' ? await client.xrange(key, '-', '+') : await client.smembers(key)];
    });
    return textOf(await Promise.all(values));
  };
}

function textOf(rows: unknown): string {
  return JSON.stringify(rows, (_name, value: unknown) => {
    if (value instanceof ArrayBuffer) return Buffer.from(value).toString();
    if (ArrayBuffer.isView(value))
      return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString();
    const isBuffer = typeof value === 'object' && value !== null && Reflect.get(value, 'type') === 'Buffer';
    return isBuffer ? Buffer.from(Reflect.get(value, 'data')).toString() : value;
  });
}
