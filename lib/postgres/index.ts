export { LeaseLostError } from '../errors/errors.js';
export { postgresSchemaSql } from './postgres.schema.js';
export type { PostgresInboxOptions } from './postgres-inbox.options.js';
export { PostgresInboxStore } from './postgres-inbox.store.js';
export type { PostgresQueryable, PostgresRow } from './postgres-queryable.js';
export { type PgLike, type PrismaLike, preparedQueryable, prismaQueryable } from './postgres-queryable.js';
