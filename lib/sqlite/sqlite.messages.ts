import { describeValue } from '../errors/settings.js';

/** Texts for people: what happened, then what to do. None holds a secret or a payload. */
export const MESSAGES = {
  notASqliteDatabase: (setting: string) =>
    `${setting} must be an open connection of node:sqlite, better-sqlite3 or libsql.`,
  noOpenTransaction:
    'No transaction is open on this connection: begin one, do the work in it, call complete, and commit.',
  tablePrefixInvalid: (found: unknown) =>
    `tablePrefix takes 1 to 40 letters, digits and "_", begins with no digit and not with "sqlite_"; found ${describeValue(found)}.`,
  ledgerIsNewer: (table: string) =>
    `The ledger was made by a newer version of this package (see the table ${table}): update this one.`,
} as const;
