import type { Redis } from 'ioredis';
import type { SqliteDatabase } from 'nestjs-scalekit-webhooks/sqlite';
import type { Pool } from 'pg';

/** Everything that a store holds, as text. */
export type Dump = () => Promise<string>;

/** All rows of all tables of a schema. */
export function postgresDump(pool: Pool, schema: string): Dump {
  return async () => {
    const tables = await pool.query('SELECT tablename FROM pg_tables WHERE schemaname = $1', [schema]);
    const rows = tables.rows.map(({ tablename }) => pool.query(`SELECT * FROM "${schema}"."${tablename}"`));
    return textOf((await Promise.all(rows)).map((result) => result.rows));
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
    const values = (await client.keys(`${keyPrefix}*`)).map(async (key) => {
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
