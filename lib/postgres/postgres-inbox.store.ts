import { LeaseLostError, ScalekitWebhooksConfigurationError } from '../errors/errors.js';
import type {
  InboxEntry,
  InboxEvent,
  InboxFilter,
  InboxKey,
  InboxLease,
  InboxPage,
  InboxPageRequest,
  InboxStore,
  RunClaim,
  RunSettlement,
} from '../inbox/inbox-store.js';
import { DEFAULT_PAGE_SIZE } from '../inbox/inbox-store.js';
import { MESSAGES } from './postgres.messages.js';
import {
  countQuery,
  listQuery,
  textOf,
  toHandlerClaim,
  toInboxEntry,
  toPostgresText,
} from './postgres.reads.js';
import { type PostgresTables, postgresSchemaSql, postgresTables } from './postgres.schema.js';
import { type PostgresStatements, postgresStatements } from './postgres.sql.js';
import { type PostgresInboxOptions, resolvePostgresInboxOptions } from './postgres-inbox.options.js';
import { isPostgresQueryable, type PostgresRow, queryRows } from './postgres-queryable.js';

const PRUNE_BATCH = 500;
// Each round asks for what other transactions changed under the one before; a second one nearly always knows.
const MAX_CLAIM_ROUNDS = 5;

/**
 * The inbox in Postgres 12 or later: it lasts, many processes share it, and `delivery.complete(tx)` writes it in the
 * application's own transactions. A claim and a settle are one statement each; all times are the server's.
 *
 * @example
 * const pool = new Pool({ connectionString: process.env.DATABASE_URL });
 * ScalekitWebhooksModule.forRoot({ inbox: new PostgresInboxStore({ client: pool }) });
 */
export class PostgresInboxStore implements InboxStore {
  readonly #options: Readonly<Required<PostgresInboxOptions>>;
  readonly #tables: PostgresTables;
  readonly #statements: PostgresStatements;
  readonly #retention: PostgresRetention;
  #migrated: Promise<void> | undefined;

  /** @throws ScalekitWebhooksConfigurationError when an option cannot work */
  constructor(options: PostgresInboxOptions) {
    this.#options = resolvePostgresInboxOptions(options);
    this.#tables = postgresTables(this.#options.schema);
    this.#statements = postgresStatements(this.#tables);
    this.#retention = new PostgresRetention(() =>
      this.#prune(this.#statements.pruneByAge, this.#options.retentionMs),
    );
  }

  /** Makes the tables, or brings them up to date. Safe to repeat, and safe when several processes do it at once. */
  async migrate(): Promise<void> {
    await queryRows(this.#options.client, postgresSchemaSql(this.#options.schema));
  }

  async claim(
    event: InboxEvent,
    handlerIds: readonly string[],
    lease: InboxLease,
  ): Promise<ReadonlyMap<string, RunClaim>> {
    const claims = new Map<string, RunClaim>();
    let asked = [...new Set(handlerIds)];
    let rounds = 0;
    do {
      for (const row of await this.#claimOnce(event, asked, lease)) {
        const handlerId = textOf(row, 'handler_id');
        const claim = toHandlerClaim(row);
        // The other row of a handler that was claimed says what was true before.
        if (claim.state === 'claimed' || !claims.has(handlerId)) claims.set(handlerId, claim);
      }
      asked = asked.filter((handlerId) => !claims.has(handlerId));
      rounds += 1;
    } while (asked.length > 0 && rounds < MAX_CLAIM_ROUNDS);
    // Whoever changes these rows as fast as they are read is running them.
    for (const handlerId of asked) {
      claims.set(handlerId, { state: 'running', leaseEndsInMs: lease.durationMs });
    }
    this.#retention.remind();
    return claims;
  }

  async settle(
    key: InboxKey,
    settlements: readonly RunSettlement[],
    lease: InboxLease,
  ): Promise<readonly string[]> {
    const runs = settlements.map(({ handlerId, state, error }) => [
      toPostgresText(handlerId),
      state,
      error ? toPostgresText(error.name) : null,
      error ? toPostgresText(error.message) : null,
    ]);
    const token = toPostgresText(lease.token);
    const [only] = runs;
    const rows =
      only && runs.length === 1
        ? await this.#query(this.#statements.settleOne, [...toKey(key), ...only, token])
        : await this.#query(this.#statements.settle, [...toKey(key), ...columnsOf(runs), token]);
    return rows.map((row) => textOf(row, 'handler_id'));
  }

  /**
   * Records a success inside the caller's own transaction. Make it the transaction's last statement: from then until the
   * commit, other deliveries of the event wait.
   *
   * @param transaction a client on which the caller has begun a transaction: a `pg` PoolClient, PGlite's transaction, a
   *   TypeORM EntityManager, or `prismaQueryable(tx)`
   * @throws LeaseLostError when another run may have taken the handler over: the transaction must be rolled back
   * @throws ScalekitWebhooksConfigurationError when `transaction` is no such client
   */
  async complete(transaction: unknown, key: InboxKey, handlerId: string, lease: InboxLease): Promise<void> {
    if (!isPostgresQueryable(transaction)) {
      throw new ScalekitWebhooksConfigurationError('transaction', MESSAGES.notPostgresClient('transaction'));
    }
    const values = [...toKey(key), toPostgresText(handlerId), toPostgresText(lease.token)];
    const completed = await queryRows(transaction, this.#statements.complete, values);
    if (completed.length === 0) throw new LeaseLostError(key.eventId, handlerId);
  }

  async payload(key: InboxKey): Promise<Uint8Array | undefined> {
    const [row] = await this.#query(this.#statements.payload, toKey(key));
    return row && Buffer.from(String(row.payload), 'base64');
  }

  async reopen(key: InboxKey, handlerIds?: readonly string[]): Promise<readonly string[]> {
    const ids = handlerIds?.map(toPostgresText) ?? null;
    const rows = await this.#query(this.#statements.reopen, [...toKey(key), ids]);
    return rows.map((row) => textOf(row, 'handler_id'));
  }

  async get(key: InboxKey): Promise<InboxEntry | undefined> {
    const [row] = await this.#query(this.#statements.get, toKey(key));
    return row && toInboxEntry(row);
  }

  /** @throws ScalekitWebhooksConfigurationError when the cursor is not one that a page before gave */
  async list(filter: InboxFilter = {}, page: InboxPageRequest = {}): Promise<InboxPage> {
    const { limit = DEFAULT_PAGE_SIZE, cursor = '0' } = page;
    if (!/^\d{1,18}$/.test(cursor)) {
      throw new ScalekitWebhooksConfigurationError('cursor', MESSAGES.notACursor(cursor));
    }
    const { text, values } = listQuery(this.#tables, filter, cursor, limit + 1);
    const rows = await this.#query(text, values);
    const shown = rows.slice(0, limit);
    const last = rows.length > limit ? shown.at(-1) : undefined;
    return { entries: shown.map(toInboxEntry), ...(last && { nextCursor: String(last.seq) }) };
  }

  async count(filter: InboxFilter = {}): Promise<number> {
    const { text, values } = countQuery(this.#tables, filter);
    const [row] = await this.#query(text, values);
    return Number(row?.entries);
  }

  async prune(before: Date): Promise<number> {
    return this.#prune(this.#statements.pruneByTime, before.getTime());
  }

  /** Rejects also where the tables cannot be read. */
  async ping(): Promise<void> {
    await this.#query(this.#statements.ping, []);
  }

  /** Waits for work in the background. The client stays open: it is the caller's. */
  async close(): Promise<void> {
    await this.#retention.rest();
  }

  #claimOnce(event: InboxEvent, handlerIds: readonly string[], lease: InboxLease): Promise<PostgresRow[]> {
    return this.#query(this.#statements.claim, [
      ...toKey(event),
      toPostgresText(event.type),
      toPostgresText(event.occurredAt),
      event.payload,
      handlerIds.map(toPostgresText),
      toPostgresText(lease.token),
      lease.durationMs,
      lease.takesOver ? toPostgresText(lease.takesOver) : null,
    ]);
  }

  async #prune(statement: string, bound: number): Promise<number> {
    let total = 0;
    for (let seen = PRUNE_BATCH; seen >= PRUNE_BATCH; ) {
      const [row] = await this.#query(statement, [bound, PRUNE_BATCH]);
      seen = Number(row?.seen);
      total += Number(row?.forgotten);
    }
    return total;
  }

  async #query(text: string, values: unknown[]): Promise<PostgresRow[]> {
    if (this.#options.migrate) await this.#migrateOnce();
    return queryRows(this.#options.client, text, values);
  }

  #migrateOnce(): Promise<void> {
    this.#migrated ??= this.migrate().catch((error) => {
      this.#migrated = undefined;
      throw error;
    });
    return this.#migrated;
  }
}

function toKey({ endpoint, eventId }: InboxKey): string[] {
  return [toPostgresText(endpoint), toPostgresText(eventId)];
}

/** Rows of four values as four lists. */
function columnsOf(rows: readonly (readonly unknown[])[]): unknown[][] {
  return [0, 1, 2, 3].map((column) => rows.map((row) => row[column]));
}

const EVERY_MS = 60 * 60 * 1000;

/** Forgets old events now and then, beside the work that reminds it. */
export class PostgresRetention {
  #dueAt = Number.NEGATIVE_INFINITY;
  #running: Promise<unknown> = Promise.resolve();

  constructor(private readonly forget: () => Promise<unknown>) {}

  /** Starts a round when none was started within the hour. Never rejects, and nobody needs to wait for it. */
  remind(): void {
    const now = performance.now();
    if (now < this.#dueAt) return;
    this.#dueAt = now + EVERY_MS;
    // What one round could not forget, the next one will; claims tell of a database that is down.
    this.#running = this.forget().catch(() => {});
  }

  /** Resolves when no round is in progress. */
  async rest(): Promise<void> {
    await this.#running;
  }
}
