import { Logger, Module, type OnApplicationShutdown } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import { Pool } from 'pg';

@Module({
  providers: [{ provide: Pool, inject: [ConfigService], useFactory: createPool }],
  exports: [Pool],
})
export class DatabaseModule implements OnApplicationShutdown {
  constructor(private readonly pool: Pool) {}

  async onApplicationShutdown(): Promise<void> {
    await this.pool.end();
  }
}

function createPool(config: ConfigService): Pool {
  const pool = new Pool({
    connectionString: config.getOrThrow<string>('POSTGRES_URL'),
    connectionTimeoutMillis: 3000,
    statement_timeout: 5000,
  });
  pool.on('error', (error) => Logger.error(error.message, 'Postgres'));
  return pool;
}
