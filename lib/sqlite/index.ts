export type { SqliteInboxOptions } from './sqlite.options.js';
export type { SqliteClient, SqliteDatabase, SqliteStatement, SqliteValue } from './sqlite-database.js';
export { SqliteInboxStore } from './sqlite-inbox.store.js';
