export type { SqliteDatabase, SqliteStatement, SqliteValue } from './sqlite-database.js';
export { type SqliteInboxOptions, SqliteInboxStore } from './sqlite-inbox.store.js';
