export { LeaseLostError } from '../errors/errors.js';
export {
  type DrizzleLike,
  drizzleQueryable,
  type KyselyLike,
  kyselyQueryable,
  type PrismaLike,
  prismaQueryable,
} from './postgres.adapters.js';
export type { PostgresInboxOptions } from './postgres.options.js';
export { type PostgresSchemaOptions, postgresSchemaSql } from './postgres.schema.js';
export { PostgresInboxStore } from './postgres-inbox.store.js';
export type {
  PostgresAdapter,
  PostgresQueryable,
  PostgresRow,
  PostgresTransact,
} from './postgres-queryable.js';
