import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { chown, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Client } from 'pg';
import { end, endWithStorm, freePort, type OwnServer } from './own-server.js';

const BINARIES = '/usr/lib/postgresql';
const START_TIMEOUT_MS = 30_000;

/** A user that may run Postgres: it refuses to run as root. */
interface User {
  readonly uid?: number;
  readonly gid?: number;
}

/** A Postgres with its defaults for durability. */
export class StormPostgres implements OwnServer {
  #process?: ChildProcess;

  private constructor(
    readonly port: number,
    private readonly directory: string,
    private readonly binaries: string,
    private readonly user: User,
  ) {}

  static async start(): Promise<StormPostgres> {
    const directory = await mkdtemp(join(tmpdir(), 'storm-postgres-'));
    const user = userForPostgres();
    if (user.uid !== undefined && user.gid !== undefined) await chown(directory, user.uid, user.gid);
    const server = new StormPostgres(await freePort(), directory, await findBinaries(), user);
    await server.#initialize();
    await server.#launch();
    return server;
  }

  get url(): string {
    return `postgres://postgres@127.0.0.1:${this.port}/postgres`;
  }

  async crashAndRestart(): Promise<void> {
    // To Postgres this means: end at once, and recover at the next start.
    if (this.#process) await end(this.#process, 'SIGQUIT');
    await this.#launch();
  }

  async stop(): Promise<void> {
    if (this.#process) await end(this.#process, 'SIGQUIT');
    await rm(this.directory, { recursive: true, force: true });
  }

  get #data(): string {
    return join(this.directory, 'data');
  }

  async #initialize(): Promise<void> {
    const options = [
      '-D',
      this.#data,
      '-U',
      'postgres',
      '-A',
      'trust',
      '-E',
      'UTF8',
      '--locale=C',
      '--no-sync',
    ];
    await promisify(execFile)(join(this.binaries, 'initdb'), options, { cwd: this.directory, ...this.user });
  }

  async #launch(): Promise<void> {
    const settings = ['listen_addresses=127.0.0.1', 'unix_socket_directories=', 'max_connections=100'];
    const options = ['-D', this.#data, '-p', String(this.port), ...settings.flatMap((one) => ['-c', one])];
    this.#process = spawn(join(this.binaries, 'postgres'), options, {
      cwd: this.directory,
      stdio: 'ignore',
      ...this.user,
    });
    endWithStorm(this.#process, 'SIGQUIT');
    const giveUpAt = performance.now() + START_TIMEOUT_MS;
    while (!(await this.#answers())) {
      if (performance.now() > giveUpAt) throw new Error('Postgres did not start');
      await delay(50);
    }
  }

  async #answers(): Promise<boolean> {
    const client = new Client({ connectionString: this.url, connectionTimeoutMillis: 1000 });
    client.on('error', () => {});
    try {
      await client.connect();
      await client.query('SELECT 1');
      return true;
    } catch {
      return false;
    } finally {
      await client.end().catch(() => undefined);
    }
  }
}

async function findBinaries(): Promise<string> {
  const versions = await readdir(BINARIES).catch(() => []);
  const [newest] = versions.sort((a, b) => Number(b) - Number(a));
  if (newest === undefined) throw new Error(`no Postgres in ${BINARIES}`);
  return join(BINARIES, newest, 'bin');
}

function userForPostgres(): User {
  if (process.getuid?.() !== 0) return {};
  const idOf = (flag: string) => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }));
  return { uid: idOf('-u'), gid: idOf('-g') };
}
