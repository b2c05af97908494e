import { beforeAll, beforeEach, expect, it } from '@jest/globals';
import { PostgresInboxStore } from 'nestjs-scalekit-webhooks/postgres';
import { Pool } from 'pg';
import { describeWithPostgresServers, PostgresServer } from './helpers/postgres-server.js';
import { type Ailment, expectToOutlast, runsAcross } from './helpers/store-outage.js';
import { undoAfterTest } from './helpers/tidy.js';
import { until } from './helpers/until.js';

describeWithPostgresServers('A Postgres ledger', () => {
  let server: PostgresServer;
  let pool: Pool;
  let inbox: PostgresInboxStore;

  beforeAll(async () => {
    server = await PostgresServer.start();
  });

  beforeEach(() => {
    // One connection, which waits for the server as long as it must.
    pool = new Pool({ connectionString: server.url, max: 1 });
    pool.on('error', () => {});
    undoAfterTest(() => pool.end());
    inbox = new PostgresInboxStore({ client: pool });
  });

  async function setReadOnly(setting: 'on' | 'off'): Promise<void> {
    await pool.query(`ALTER SYSTEM SET default_transaction_read_only = ${setting}`);
    await pool.query('SELECT pg_reload_conf()');
    await until(
      async () =>
        (await pool.query('SHOW default_transaction_read_only')).rows[0].default_transaction_read_only,
      (found) => found === setting,
    );
  }

  const isDown: Ailment = async () => {
    await server.stop();
    return () => server.launch();
  };
  const hangs: Ailment = () => server.hang();
  /** What managed databases do when the disk is full. */
  const isReadOnly: Ailment = async () => {
    await setReadOnly('on');
    return () => setReadOnly('off');
  };
  const hasNoConnectionLeft: Ailment = async () => {
    const client = await pool.connect();
    return () => client.release();
  };

  it('that is down has deliveries refused until it is up', () => expectToOutlast(inbox, isDown));

  it('that hangs has deliveries refused until it answers', () => expectToOutlast(inbox, hangs));

  it('that takes no writes has deliveries refused until it does', () => expectToOutlast(inbox, isReadOnly));

  it('whose pool has no connection left has deliveries refused until it has', () =>
    expectToOutlast(inbox, hasNoConnectionLeft));

  it('that goes down while handlers run has them run again, since it could not take their record', async () => {
    expect(await runsAcross(inbox, isDown)).toEqual([2, 2]);
  });

  it('that hangs while handlers run takes their record when it answers again', async () => {
    expect(await runsAcross(inbox, hangs)).toEqual([1, 1]);
  });
});
