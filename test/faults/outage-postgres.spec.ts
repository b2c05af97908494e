import './helpers/timeout.js';
import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { PostgresInboxStore } from 'nestjs-scalekit-webhooks/postgres';
import { Pool } from 'pg';
import { cleanUpAfterTest } from '../helpers/cleanup.js';
import { PostgresServer } from '../helpers/postgres-server.js';
import { describeWithServers } from '../helpers/services.js';
import { until } from '../helpers/until.js';
import { expectToSurvive, LEASE_MS, type Outage, runsDuring } from './helpers/store-outage.js';

describeWithServers('postgres', 'If the Postgres of the inbox', () => {
  let server: PostgresServer;
  let pool: Pool;
  let inbox: PostgresInboxStore;

  beforeAll(async () => {
    server = await PostgresServer.start();
  });

  afterAll(() => server.stop());

  beforeEach(() => {
    // A single connection without timeouts.
    pool = new Pool({ connectionString: server.url, max: 1 });
    pool.on('error', () => {});
    cleanUpAfterTest(() => pool.end());
    inbox = new PostgresInboxStore({ client: pool, application: 'shop' });
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

  const isDown: Outage = async () => {
    await server.kill();
    return () => server.launch();
  };
  const hangs: Outage = async () => {
    const resume = await server.hang();
    cleanUpAfterTest(resume);
    return resume;
  };
  /** Managed databases do this when their disk is full. */
  const isReadOnly: Outage = async () => {
    await setReadOnly('on');
    return () => setReadOnly('off');
  };
  const hasNoConnectionLeft: Outage = async () => {
    const client = await pool.connect();
    return () => client.release();
  };

  it('is down, deliveries are answered with 503 until it is up', () => expectToSurvive(inbox, isDown));

  it('hangs, deliveries are answered with 503 until it responds', () => expectToSurvive(inbox, hangs));

  it('is read-only, deliveries are answered with 503 until it is not', () =>
    expectToSurvive(inbox, isReadOnly));

  it('has no free connection, deliveries are answered with 503 until it has one', () =>
    expectToSurvive(inbox, hasNoConnectionLeft));

  it('is down until the lease of runs ends, they run again, because nothing recorded them', async () => {
    const isDownForLong: Outage = async () => {
      const startedAt = Date.now();
      const repair = await isDown();
      return async () => {
        await until(
          () => Date.now() - startedAt,
          (passedMs) => passedMs > LEASE_MS,
        );
        await repair();
      };
    };
    expect(await runsDuring(inbox, isDownForLong)).toEqual([2, 2]);
  });

  it('hangs while handlers run, they are recorded when it responds again', async () => {
    expect(await runsDuring(inbox, hangs)).toEqual([1, 1]);
  });
});
