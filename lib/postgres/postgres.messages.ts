import { describeValue } from '../errors/settings.js';

/** Error texts: what happened, then what to do. None contains a secret or a payload. */
export const MESSAGES = {
  notPostgresClient: (setting: string) =>
    `${setting} must have a query(text, values) method, like a pg Pool, a pg PoolClient or PGlite. For Prisma, wrap the client in prismaQueryable().`,
  schemaNameInvalid: (found: unknown) =>
    `schema takes 1 to 63 letters, digits and "_", and must not start with a digit; found ${describeValue(found)}.`,
  cursorInvalid: (found: unknown) =>
    `cursor must be the nextCursor of an earlier page; found ${describeValue(found)}.`,
} as const;
