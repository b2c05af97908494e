import { Module, type OnApplicationShutdown } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import { DataSource } from 'typeorm';
import { Workspace } from './workspace.entity.js';

@Module({
  providers: [{ provide: DataSource, inject: [ConfigService], useFactory: connect }],
  exports: [DataSource],
})
export class DatabaseModule implements OnApplicationShutdown {
  constructor(private readonly dataSource: DataSource) {}

  async onApplicationShutdown(): Promise<void> {
    await this.dataSource.destroy();
  }
}

async function connect(config: ConfigService): Promise<DataSource> {
  const dataSource = await new DataSource({
    type: 'postgres',
    url: config.getOrThrow<string>('POSTGRES_URL'),
    entities: [Workspace],
    extra: { connectionTimeoutMillis: 3000, statement_timeout: 5000 },
  }).initialize();
  await createTable(dataSource);
  return dataSource;
}

/** Your application has migrations for this. The lock lets web and worker processes start at the same time. */
async function createTable(dataSource: DataSource): Promise<void> {
  await dataSource.transaction(async (tx) => {
    await tx.query("SELECT pg_advisory_xact_lock(hashtext('workspaces'))");
    await tx.query(
      'CREATE TABLE IF NOT EXISTS workspaces (organization_id text PRIMARY KEY, storage text NOT NULL)',
    );
  });
}
