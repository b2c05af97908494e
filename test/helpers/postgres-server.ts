import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { chown, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Client } from 'pg';
import { endProcess, endWithThisProcess, isRunning } from './child-process.js';
import { freePort } from './free-port.js';

const USER = 'postgres';
const START_TIMEOUT_MS = 30_000;

/** A Postgres server on a free port and a directory of its own. */
export class PostgresServer {
  #process?: ChildProcess;

  private constructor(
    private readonly port: number,
    private readonly directory: string,
  ) {}

  static async start(): Promise<PostgresServer> {
    const directory = await mkdtemp(join(tmpdir(), 'postgres-'));
    const { uid, gid } = account();
    if (uid !== undefined && gid !== undefined) await chown(directory, uid, gid);
    const server = new PostgresServer(await freePort(), directory);
    await server.#createCluster();
    await server.launch();
    return server;
  }

  get url(): string {
    return `postgres://${USER}@127.0.0.1:${this.port}/postgres`;
  }

  /** Starts the server, on the data that it had before. */
  async launch(): Promise<void> {
    const settings = ['listen_addresses=127.0.0.1', 'unix_socket_directories=', 'max_connections=100'];
    const options = ['-p', String(this.port), ...settings.flatMap((setting) => ['-c', setting])];
    const child = spawn(program('postgres'), ['-D', this.#data, ...options], {
      cwd: this.directory,
      stdio: 'ignore',
      ...account(),
    });
    this.#process = child;
    endWithThisProcess(child, 'SIGQUIT');
    const giveUpAt = performance.now() + START_TIMEOUT_MS;
    while (!(await this.#answers())) {
      if (!isRunning(child) || performance.now() > giveUpAt) throw new Error('Postgres did not start');
      await delay(50);
    }
  }

  /** Ends it as a crash would: without a checkpoint, so that it has to recover when it starts again. */
  async kill(): Promise<void> {
    // For Postgres, SIGQUIT means an immediate shutdown. SIGKILL would leave its child processes behind.
    if (this.#process) await endProcess(this.#process, 'SIGQUIT');
  }

  /** Restarts it as a standby that has lost its primary: it answers reads. */
  async becomeStandby(): Promise<void> {
    await this.kill();
    await writeFile(join(this.#data, 'standby.signal'), '');
    await this.launch();
  }

  /** Stops it from responding, with all its connections open. Returns a function that resumes it. */
  async hang(): Promise<() => void> {
    const postmaster = this.#process?.pid;
    if (postmaster === undefined) throw new Error('Postgres is not running');
    const processes = [postmaster, ...(await childrenOf(postmaster))];
    for (const pid of processes) process.kill(pid, 'SIGSTOP');
    return () => {
      for (const pid of processes.splice(0)) process.kill(pid, 'SIGCONT');
    };
  }

  /** Ends it, and deletes its data. */
  async stop(): Promise<void> {
    await this.kill();
    await rm(this.directory, { recursive: true, force: true });
  }

  get #data(): string {
    return join(this.directory, 'data');
  }

  async #createCluster(): Promise<void> {
    const options = ['--no-sync', '--auth=trust', `--username=${USER}`, '--encoding=UTF8', '--locale=C'];
    await promisify(execFile)(program('initdb'), [`--pgdata=${this.#data}`, ...options], {
      cwd: this.directory,
      ...account(),
    });
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

export function isPostgresInstalled(): boolean {
  return findPrograms() !== undefined;
}

function program(name: string): string {
  const directory = findPrograms();
  if (directory === undefined) throw new Error('Postgres is not installed');
  return join(directory, name);
}

/** The directory where Debian's packages install the programs of the newest version. */
function findPrograms(): string | undefined {
  const installed = '/usr/lib/postgresql';
  const versions = existsSync(installed) ? readdirSync(installed).sort((a, b) => Number(b) - Number(a)) : [];
  return versions
    .map((version) => join(installed, version, 'bin'))
    .find((path) => existsSync(join(path, 'initdb')));
}

/** The user that runs Postgres, which refuses to run as root. */
function account(): { uid?: number; gid?: number } {
  if (process.getuid?.() !== 0) return {};
  const idOf = (flag: string) => Number(execFileSync('id', [flag, USER], { encoding: 'utf8' }));
  return { uid: idOf('-u'), gid: idOf('-g') };
}

async function childrenOf(parent: number): Promise<number[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const stats = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')));
  // The format is "pid (name) state ppid …". The name can contain anything.
  return stats.flatMap((stat) => {
    const [, ppid] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return Number(ppid) === parent ? [Number.parseInt(stat, 10)] : [];
  });
}
