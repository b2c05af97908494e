import { PGlite } from '@electric-sql/pglite';
import { afterAll, beforeAll } from '@jest/globals';
import { PostgresInboxStore } from '../../lib/postgres/index.js';
import { emptyInbox, passTime } from '../helpers/postgres.js';
import { describeInboxStore } from './inbox-store.conformance.js';

const schema = 'scalekit_webhooks';
let database: PGlite;

beforeAll(async () => {
  database = await PGlite.create();
}, 60_000);

afterAll(() => database.close());

describeInboxStore('PostgresInboxStore on PGlite', async () => {
  const store = new PostgresInboxStore({ client: database, application: 'test' });
  await store.migrate();
  await emptyInbox(database, schema);
  return {
    store,
    openWith: (options) => new PostgresInboxStore({ client: database, application: 'test', ...options }),
    advance: (ms) => passTime(database, schema, ms),
  };
});
