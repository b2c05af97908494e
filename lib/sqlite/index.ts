export type { SqliteDatabase, SqliteStatement, SqliteValue } from './sqlite-database.js';
export type { SqliteInboxOptions } from './sqlite-inbox.options.js';
export { SqliteInboxStore } from './sqlite-inbox.store.js';
