import { afterAll, beforeAll, describe } from '@jest/globals';
import { PostgresInboxStore } from '../../lib/postgres/index.js';
import { aSchemaName, dropSchema, emptyInbox, openPool, passTime } from '../helpers/postgres.js';
import { type OpenLibrary, SERVER_LIBRARIES } from '../helpers/postgres-libraries.js';
import { describeWithService, installedOf } from '../helpers/services.js';
import { describeInboxStore } from './inbox-store.conformance.js';

await describeWithService('postgres', 'through a database library', (connectionString) => {
  const schema = aSchemaName();
  const observer = openPool({ max: 1 });

  afterAll(async () => {
    await dropSchema(observer, schema);
    await observer.end();
  });

  // The other spec uses pg as it is.
  const { pg: _, ...libraries } = SERVER_LIBRARIES;

  describe.each(installedOf('PostgresInboxStore', libraries))('%s', (name, open) => {
    let library: OpenLibrary;

    beforeAll(async () => {
      library = await open({ connectionString, max: 4 });
    });
    afterAll(() => library.close());

    describeInboxStore(`PostgresInboxStore through ${name}`, async () => {
      const store = new PostgresInboxStore({ client: library.client, application: 'test', schema });
      await store.migrate();
      await emptyInbox(observer, schema);
      return {
        store,
        openWith: (options) =>
          new PostgresInboxStore({ client: library.client, application: 'test', schema, ...options }),
        advance: (ms) => passTime(observer, schema, ms),
      };
    });
  });
});
