import { describeValue } from '../errors/settings.js';

/** Error texts: what happened, then what to do. None contains a secret or a payload. */
export const MESSAGES = {
  notSqliteDatabase: (setting: string) =>
    `${setting} must be an open connection of node:sqlite, better-sqlite3 or libsql.`,
  noOpenTransaction:
    'No transaction is open on this connection. Begin one, do your work in it, call complete(), and commit.',
  transactionTooLong:
    'The inbox waited too long for a handler to end its transaction. Do not wait for anything slow inside delivery.transaction().',
  tablePrefixInvalid: (found: unknown) =>
    `tablePrefix takes 1 to 40 letters, digits and "_", and must not start with a digit or with "sqlite_"; found ${describeValue(found)}.`,
  retentionFailed: (table: string) =>
    `Events older than retentionMs could not be deleted from the table ${table}, so the file keeps growing. Check for triggers on the inbox's tables, and for foreign keys that reference them. The store tries again in an hour.`,
  unusable: (reason: string, advice: string | undefined) =>
    `The database cannot be used: ${reason}${advice ? `. ${advice}` : ''}`,
  endTransaction:
    'Another transaction has been open for longer than busyTimeoutMs. Find the program that holds it, and end it.',
  makeWritable:
    'Open the connection for writing. The process needs the right to write the file, the files beside it and their directory.',
  makeRoom: 'The disk is full, or a quota is used up. Free some space.',
  replaceFile:
    'The file is damaged, or is not a SQLite database. Correct its path, or restore it from a backup.',
  restoreTables:
    'Something else has changed the tables of the inbox. Restore them from a backup, or set another tablePrefix to begin with new ones.',
  keepOpen: 'Give the store an open connection, and close it only after the application.',
  tablesAreNewer: (table: string) =>
    `A newer version of nestjs-scalekit-webhooks created the inbox's tables (see the table ${table}). Update the package in this application.`,
} as const;
