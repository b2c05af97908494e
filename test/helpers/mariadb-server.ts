import { execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { DataSource } from 'typeorm';
import type { PostgresQueryable } from '../../lib/postgres/index.js';
import { endProcess, endWithThisProcess } from './child-process.js';
import { cleanUpAfterFile } from './cleanup.js';
import { freePort } from './free-port.js';
import { type FoundLibrary, findLibrary } from './libraries.js';
import { until } from './until.js';

interface OpenClient {
  readonly client: PostgresQueryable;
  close(): Promise<unknown>;
}

/** The part of `mysql2` that the tests use. */
interface Mysql2 {
  createPool(config: object): { promise(): PostgresQueryable & { end(): Promise<void> } };
}

/** Clients of MariaDB that somebody could give to a store for Postgres, because they have a `query` method. */
export const MARIADB_CLIENTS: Readonly<Record<string, FoundLibrary<(port: number) => Promise<OpenClient>>>> =
  {
    mysql2: findLibrary('mysql2', (require) => {
      const { createPool } = require('mysql2') as Mysql2;
      return async (port) => {
        const client = createPool({ host: '127.0.0.1', port, user: 'test', database: 'test' }).promise();
        return { client, close: () => client.end() };
      };
    }),
    'TypeORM on mysql2': findLibrary('mysql2', (require) => {
      const driver = require('mysql2');
      return async (port) => {
        const place = { host: '127.0.0.1', port, username: 'test', database: 'test' };
        const client = await new DataSource({ type: 'mariadb', ...place, driver }).initialize();
        return { client, close: () => client.destroy() };
      };
    }),
  };

/** Starts a MariaDB on a free port, with an empty database `test` and a user of this name. It ends with the test file. */
export async function startMariaDb(): Promise<number> {
  const directory = await mkdtemp(join(tmpdir(), 'mariadb-'));
  const port = await freePort();
  const place = ['--no-defaults', `--datadir=${directory}/data`, `--user=${userInfo().username}`];
  await promisify(execFile)('mariadb-install-db', place);
  const init = join(directory, 'init.sql');
  await writeFile(
    init,
    "CREATE DATABASE IF NOT EXISTS test; CREATE USER test@'%'; GRANT ALL ON test.* TO test@'%';",
  );
  const network = [`--port=${port}`, '--bind-address=127.0.0.1', `--socket=${directory}/socket`];
  const server = spawn('mariadbd', [...place, ...network, `--init-file=${init}`], { stdio: 'ignore' });
  endWithThisProcess(server);
  cleanUpAfterFile(async () => {
    await endProcess(server);
    await rm(directory, { recursive: true, force: true });
  });
  await until(
    () => listens(port),
    (isUp) => isUp,
    30_000,
  );
  return port;
}

export function isMariaDbInstalled(): boolean {
  return ['mariadbd', 'mariadb-install-db'].every((name) => !spawnSync(name, ['--help']).error);
}

async function listens(port: number): Promise<boolean> {
  const socket = connect({ host: '127.0.0.1', port });
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
