import { claimSql } from './postgres.claim.sql.js';
import { pruneSql } from './postgres.prune.sql.js';
import { getSql, payloadSql } from './postgres.reads.sql.js';
import { completeSql, reopenSql, settleOneSql, settleSql } from './postgres.settle.sql.js';
import type { PostgresTables } from './postgres.tables.js';

/**
 * The store's statements, made once. Each is a SELECT at its top, whatever it writes below: clients such as TypeORM give
 * the rows of other commands in other shapes.
 */
export function postgresStatements(tables: PostgresTables) {
  return Object.freeze({
    claim: claimSql(tables),
    settle: settleSql(tables),
    settleOne: settleOneSql(tables),
    complete: completeSql(tables),
    reopen: reopenSql(tables),
    get: getSql(tables),
    payload: payloadSql(tables),
    pruneByTime: pruneSql(tables, 'time'),
    pruneByAge: pruneSql(tables, 'age'),
    ping: `SELECT count(*)::float8 FROM ${tables.events} WHERE false`,
  });
}

export type PostgresStatements = ReturnType<typeof postgresStatements>;
