import { describeValue } from '../errors/settings.js';

/** Texts for people: what happened, then what to do. None holds a secret or a payload. */
export const MESSAGES = {
  notPostgresClient: (setting: string) =>
    `${setting} must have query(text, values), as a pg Pool, PoolClient or PGlite has; for Prisma use prismaQueryable(…).`,
  schemaNameInvalid: (found: unknown) =>
    `schema takes 1 to 63 letters, digits and "_", and begins with no digit; found ${describeValue(found)}.`,
  notACursor: (found: unknown) =>
    `cursor must be the nextCursor of a page before; found ${describeValue(found)}.`,
} as const;
