import { execFile, spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { chown, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, it } from '@jest/globals';
import { freePort } from './free-port.js';
import { aDirectory, undoAfterSuite, undoAfterTest } from './tidy.js';

const run = promisify(execFile);
const INSTALLED = '/usr/lib/postgresql';
// Postgres does not run as root.
const USER = 'postgres';

/** A Postgres server of a test's own, on a free port, with nothing left of it in the end. */
export class PostgresServer {
  readonly url: string;

  private constructor(
    private readonly directory: string,
    private readonly port: number,
  ) {
    this.url = `postgres://${USER}@127.0.0.1:${port}/postgres`;
  }

  static async start(): Promise<PostgresServer> {
    const directory = await aDirectory();
    if (process.getuid?.() === 0) await chown(directory, await idOf('-u'), await idOf('-g'));
    const server = new PostgresServer(join(directory, 'data'), await freePort());
    await server.#run('initdb', '--no-sync', '--auth', 'trust', '--username', USER);
    undoAfterSuite(() => server.stop().catch(() => {}));
    await server.launch();
    return server;
  }

  /** Starts it, or starts it again on what it had stored. */
  async launch(): Promise<void> {
    const settings = `-p ${this.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories=${this.directory}`;
    await this.#run('pg_ctl', 'start', '--wait', '--log', `${this.directory}.log`, '--options', settings);
  }

  /** Ends it as a crash would. */
  async stop(): Promise<void> {
    await this.#run('pg_ctl', 'stop', '--mode', 'immediate', '--wait');
  }

  /** Has it keep its connections, and answer nobody, until the function is called that this gives. */
  async hang(): Promise<() => void> {
    const postmaster = Number.parseInt(await readFile(join(this.directory, 'postmaster.pid'), 'utf8'), 10);
    const processes = [postmaster, ...(await childrenOf(postmaster))];
    for (const pid of processes) process.kill(pid, 'SIGSTOP');
    const resume = () => {
      for (const pid of processes.splice(0)) process.kill(pid, 'SIGCONT');
    };
    undoAfterTest(resume);
    return resume;
  }

  async #run(name: string, ...args: string[]): Promise<void> {
    const command = [join(binaries() ?? '', name), '--pgdata', this.directory, ...args];
    const [file = '', ...rest] =
      process.getuid?.() === 0 ? ['runuser', '-u', USER, '--', ...command] : command;
    await run(file, rest, { cwd: '/', timeout: 30_000 });
  }
}

/** A `describe` that starts servers of its own: left out where Postgres is not installed, and with `CI=true` a failure. */
export function describeWithPostgresServers(suite: string, body: () => void): void {
  if (binaries() || process.env.CI === 'true') {
    describe(suite, body);
    return;
  }
  process.stderr.write(`Left out: ${suite}. Install postgresql.\n`);
  describe.skip(suite, () => {
    it('is left out: postgresql is not installed', () => {});
  });
}

/** Where Debian has the programs of its newest version. */
function binaries(): string | undefined {
  const versions = existsSync(INSTALLED) ? readdirSync(INSTALLED).sort((a, b) => Number(b) - Number(a)) : [];
  return versions
    .map((version) => join(INSTALLED, version, 'bin'))
    .find((path) => existsSync(join(path, 'initdb')));
}

async function idOf(which: '-u' | '-g'): Promise<number> {
  return Number(spawnSync('id', [which, USER], { encoding: 'utf8' }).stdout);
}

async function childrenOf(parent: number): Promise<number[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const stats = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')));
  // "pid (name) state ppid …": the name may hold anything.
  return stats.flatMap((stat) => {
    const [, ppid] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return Number(ppid) === parent ? [Number.parseInt(stat, 10)] : [];
  });
}
