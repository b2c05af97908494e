/** The names of the ledger's tables. */
export interface SqliteTables {
  /** One row: the version of the other tables. */
  readonly meta: string;
  readonly events: string;
  readonly payloads: string;
  readonly handlers: string;
}

export function sqliteTables(prefix: string): SqliteTables {
  return {
    meta: `${prefix}meta`,
    events: `${prefix}events`,
    payloads: `${prefix}payloads`,
    handlers: `${prefix}handlers`,
  };
}
