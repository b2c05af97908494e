import type { RecoveryStart } from '../inbox/inbox-recovery.js';
import type { InboxLease } from '../inbox/inbox-store.js';
import { toStorableText } from '../inbox/storable-text.js';
import type { PostgresConnection } from './postgres.connection.js';
import type { PostgresTables } from './postgres.schema.js';
import { inMs } from './postgres.sql.js';

/** Remembers how far the recovery of each endpoint has come. */
export class PostgresRecovery {
  readonly #begin: string;
  readonly #end: string;

  constructor(
    { recoveries, application }: PostgresTables,
    private readonly connection: PostgresConnection,
  ) {
    // Values: endpoint, lease token, lease in ms. Returns no row if another process has the lease.
    this.#begin = `
WITH begun AS (
  INSERT INTO ${recoveries} AS recovery (application, endpoint, lease_token, lease_ends_at)
  VALUES (${application}, $1::text, $2::text, ${inMs('$3::float8')})
  ON CONFLICT (application, endpoint) DO UPDATE SET lease_token = $2::text, lease_ends_at = ${inMs('$3::float8')}
  WHERE recovery.lease_token = $2::text OR recovery.lease_ends_at <= clock_timestamp()
  RETURNING recovery.checkpoint
)
SELECT round(extract(epoch FROM checkpoint) * 1000)::float8 AS checkpoint FROM begun`;
    // Values: endpoint, lease token, checkpoint in ms or NULL. The token stays, so that the end can be repeated.
    this.#end = `
WITH ended AS (
  UPDATE ${recoveries} AS recovery SET
    checkpoint = greatest(recovery.checkpoint, to_timestamp($3::float8 / 1000)), lease_ends_at = clock_timestamp()
  WHERE recovery.application = ${application} AND recovery.endpoint = $1::text AND recovery.lease_token = $2::text
  RETURNING recovery.endpoint
)
SELECT endpoint FROM ended`;
  }

  async begin(endpoint: string, lease: InboxLease): Promise<RecoveryStart | undefined> {
    const values = [toStorableText(endpoint), toStorableText(lease.token), lease.durationMs];
    const [row] = await this.connection.ask(this.#begin, values);
    if (!row) return undefined;
    return row.checkpoint === null ? {} : { checkpoint: new Date(Number(row.checkpoint)) };
  }

  async end(endpoint: string, lease: InboxLease, checkpoint?: Date): Promise<boolean> {
    const values = [toStorableText(endpoint), toStorableText(lease.token), checkpoint?.getTime() ?? null];
    return (await this.connection.ask(this.#end, values)).length > 0;
  }
}
