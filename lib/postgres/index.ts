export { LeaseLostError } from '../errors/errors.js';
export { type PostgresSchemaOptions, postgresSchemaSql } from './postgres.schema.js';
export { type PostgresInboxOptions, PostgresInboxStore } from './postgres-inbox.store.js';
export {
  type PgLike,
  type PostgresQueryable,
  type PostgresRow,
  type PrismaLike,
  preparedQueryable,
  prismaQueryable,
} from './postgres-queryable.js';
