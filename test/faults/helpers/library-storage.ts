import { PGlite } from '@electric-sql/pglite';
import { PostgresInboxStore, type PostgresQueryable } from 'nestjs-scalekit-webhooks/postgres';
import { Client, Pool } from 'pg';
import { openerOf } from '../../helpers/libraries.js';
import { type OpenLibrary, PGLITE_LIBRARIES, SERVER_LIBRARIES } from '../../helpers/postgres-libraries.js';
import type { Hold } from './hold-points.js';
import type { ShopStorage, StorageLocation } from './shop-storage.js';

/** An inbox and effects on a Postgres server, through a database library and `delivery.transaction`. */
export async function openLibrary(
  url: string,
  schema: string,
  library: string,
  hold: Hold,
): Promise<ShopStorage> {
  class HoldingClient extends Client {
    constructor(config?: string) {
      super(config);
      const query = this.query.bind(this);
      Reflect.set(this, 'query', async (text: string, ...rest: never[]) => {
        if (/^commit$/i.test(textOf(text))) await hold('between the record and the commit');
        return query(text, ...rest);
      });
    }
  }
  const observer = new Pool({ connectionString: url, max: 1 });
  const open = openerOf(library, SERVER_LIBRARIES[library]);
  const opened = await open({ connectionString: url, Client: HoldingClient });
  return storageOn(opened, schema, observer, hold, () => observer.end());
}

/** The same on a PGlite that keeps its data in a directory. */
export async function openPglite(
  { directory, library }: StorageLocation & { kind: 'pglite' },
  hold: Hold,
): Promise<ShopStorage> {
  const database = await PGlite.create(directory);
  const transaction = database.transaction.bind(database);
  Reflect.set(database, 'transaction', (work: (tx: unknown) => Promise<unknown>) =>
    transaction(async (tx) => {
      const result = await work(tx);
      await hold('between the record and the commit');
      return result;
    }),
  );
  const opened = PGLITE_LIBRARIES[library]?.(database);
  if (!opened) throw new Error(`There is no library ${library}`);
  return storageOn(opened, 'shop', database, hold, () => database.close());
}

async function storageOn(
  library: OpenLibrary,
  schema: string,
  observer: PostgresQueryable,
  hold: Hold,
  close: () => Promise<void>,
): Promise<ShopStorage> {
  const inbox = new PostgresInboxStore({ application: 'test', client: library.client, schema });
  await inbox.migrate();
  await observer.query(`CREATE TABLE IF NOT EXISTS "${schema}".effects (event_id text)`);
  return {
    inbox,
    addEffect: (eventId, delivery) =>
      delivery.transaction(async (tx: never) => {
        await library.run(tx, `INSERT INTO "${schema}".effects VALUES ('${eventId}')`);
        await hold('before the record');
      }),
    async effectsOf(eventId) {
      const result = await observer.query(`SELECT 1 FROM "${schema}".effects WHERE event_id = $1`, [eventId]);
      return (Array.isArray(result) ? result : result.rows).length;
    },
    async close() {
      await library.close();
      await close();
    },
  };
}

function textOf(statement: string | { text: string }): string {
  return typeof statement === 'string' ? statement : statement.text;
}
