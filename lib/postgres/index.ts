export { LeaseLostError } from '../errors/lease-lost.error.js';
export { postgresSchemaSql } from './postgres.schema.js';
export type { PostgresInboxOptions } from './postgres-inbox.options.js';
export { PostgresInboxStore } from './postgres-inbox.store.js';
export type { PostgresQueryable, PostgresRow } from './postgres-queryable.js';
export { type PgLike, preparedQueryable } from './prepared-queryable.js';
export { type PrismaLike, prismaQueryable } from './prisma-queryable.js';
