import { randomUUID } from 'node:crypto';
import { ScalekitWebhooksConfigurationError } from '../errors/errors.js';
import { objectWith } from '../errors/settings.js';
import { TransactionFence } from '../inbox/transaction-fence.js';
import { MESSAGES } from './postgres.messages.js';
import type { PostgresAdapter, PostgresRow } from './postgres-queryable.js';

/** The client is private, because it knows the password of the database, and objects that hold the adapter may be printed. */
class LibraryAdapter implements PostgresAdapter {
  readonly query: PostgresAdapter['query'];
  readonly transact: PostgresAdapter['transact'];
  readonly #adapted: unknown;

  constructor(adapted: unknown, { query, transact }: Pick<PostgresAdapter, 'query' | 'transact'>) {
    this.#adapted = adapted;
    this.query = query;
    this.transact = transact;
  }

  get adapted(): unknown {
    return this.#adapted;
  }
}

/** A `PrismaClient`, or the client that `prisma.$transaction` passes to its callback. */
export interface PrismaLike {
  $queryRawUnsafe(text: string, ...values: unknown[]): PromiseLike<unknown>;
  $transaction?<Result>(work: (tx: PrismaLike) => Promise<Result>): Promise<Result>;
}

/**
 * Makes a Prisma client usable as the store's client, and a Prisma transaction usable for `delivery.complete`.
 * `delivery.transaction` passes the client of `prisma.$transaction` to the handler. Its time limit is Prisma's: 5 seconds,
 * unless you set `transactionOptions`.
 *
 * @example
 * new PostgresInboxStore({ client: prismaQueryable(prisma), application: 'billing' });
 *
 * // In a handler:
 * await delivery.transaction(async (tx: Prisma.TransactionClient) => {
 *   await tx.seat.update(…);
 * });
 */
export function prismaQueryable(prisma: PrismaLike): PostgresAdapter {
  objectWith('$queryRawUnsafe')('prisma', prisma);
  return new LibraryAdapter(prisma, {
    query: async (text, values = []) => rowsOf(await prisma.$queryRawUnsafe(text, ...values)),
    async transact(work) {
      if (!prisma.$transaction) {
        throw new ScalekitWebhooksConfigurationError('client', MESSAGES.clientWithoutTransactions);
      }
      return prisma.$transaction((tx) => work(tx, prismaQueryable(tx)));
    },
  });
}

/** A Drizzle database on Postgres, or the transaction that `db.transaction` passes to its callback. */
export interface DrizzleLike {
  readonly _: {
    readonly session: {
      prepareQuery(
        query: { sql: string; params: unknown[] },
        fields: undefined,
        name: undefined,
        isResponseInArrayMode: boolean,
      ): { execute(): Promise<unknown> };
    };
  };
  transaction<Result>(work: (tx: DrizzleLike) => Promise<Result>): Promise<Result>;
}

/**
 * Makes a Drizzle database usable as the store's client, and a Drizzle transaction usable for `delivery.complete`.
 * `delivery.transaction` passes Drizzle's transaction to the handler.
 *
 * @example
 * new PostgresInboxStore({ client: drizzleQueryable(db), application: 'billing' });
 */
export function drizzleQueryable(db: DrizzleLike): PostgresAdapter {
  objectWith('transaction')('db', db);
  // Drizzle runs its statements on this client.
  const client = '$client' in db ? db.$client : db;
  return new LibraryAdapter(client, {
    async query(text, values = []) {
      const query = { sql: text, params: values };
      return rowsOf(await db._.session.prepareQuery(query, undefined, undefined, false).execute());
    },
    transact: (work) =>
      db.transaction(async (tx) => {
        // Drizzle returns the connection to the pool, but its transaction keeps using it.
        const fence = new TransactionFence();
        try {
          return await work(fence.around(tx), drizzleQueryable(tx));
        } finally {
          fence.end();
        }
      }),
  });
}

/** A Kysely instance on Postgres, or the transaction that it passes to its callback. */
export interface KyselyLike {
  withoutPlugins(): {
    executeQuery(query: {
      readonly sql: string;
      readonly parameters: readonly unknown[];
      readonly query: {
        readonly kind: 'RawNode';
        readonly sqlFragments: readonly string[];
        readonly parameters: readonly never[];
      };
      readonly queryId: { readonly queryId: string };
    }): Promise<{ readonly rows: unknown[] }>;
  };
  transaction(): {
    execute<Result>(work: (trx: KyselyLike) => Promise<Result>): Promise<Result>;
  };
}

/**
 * Makes a Kysely instance usable as the store's client, and a Kysely transaction usable for `delivery.complete`.
 * `delivery.transaction` passes Kysely's Transaction to the handler.
 *
 * @example
 * new PostgresInboxStore({ client: kyselyQueryable(db), application: 'billing' });
 */
export function kyselyQueryable(db: KyselyLike): PostgresAdapter {
  objectWith('withoutPlugins', 'transaction')('db', db);
  return new LibraryAdapter(db, {
    async query(text, values = []) {
      // Like CompiledQuery.raw() of Kysely. Without plugins, since some of them rename columns.
      const result = await db.withoutPlugins().executeQuery({
        sql: text,
        parameters: values,
        query: { kind: 'RawNode', sqlFragments: [text], parameters: [] },
        queryId: { queryId: randomUUID() },
      });
      return rowsOf(result);
    },
    transact: (work) => db.transaction().execute((trx) => work(trx, kyselyQueryable(trx))),
  });
}

/** Some drivers return rows, others an object that has them. */
function rowsOf(result: unknown): PostgresRow[] {
  const rows = Array.isArray(result) ? result : Reflect.get(Object(result), 'rows');
  return Array.isArray(rows) ? rows : [];
}
