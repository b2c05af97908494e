import { Logger, Module, type OnApplicationShutdown } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import { Pool } from 'pg';

@Module({
  providers: [{ provide: Pool, inject: [ConfigService], useFactory: connect }],
  exports: [Pool],
})
export class DatabaseModule implements OnApplicationShutdown {
  constructor(private readonly pool: Pool) {}

  async onApplicationShutdown(): Promise<void> {
    await this.pool.end();
  }
}

async function connect(config: ConfigService): Promise<Pool> {
  const pool = new Pool({
    connectionString: config.getOrThrow<string>('POSTGRES_URL'),
    // Workers, each with a transaction, and two for everything else.
    max: 7,
    connectionTimeoutMillis: 2000,
    statement_timeout: 5000,
  });
  pool.on('error', (error) => Logger.error(error.message, 'Postgres'));
  await createTable(pool);
  return pool;
}

/** Your application has migrations for this. The lock lets web and worker processes start at the same time. */
async function createTable(pool: Pool): Promise<void> {
  const client = await pool.connect();
  try {
    await client.query("BEGIN; SELECT pg_advisory_xact_lock(hashtext('members'))");
    await client.query('CREATE TABLE IF NOT EXISTS members (user_id text PRIMARY KEY); COMMIT');
  } finally {
    client.release();
  }
}
