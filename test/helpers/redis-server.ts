import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { describe, it } from '@jest/globals';
import { Cluster } from 'ioredis';

/** A Redis server of a test's own, on a free port, with nothing left of it in the end. */
export class RedisServer {
  #process?: ChildProcess;

  private constructor(
    readonly port: number,
    private readonly directory: string,
    private readonly options: readonly string[],
  ) {}

  static async start(...options: string[]): Promise<RedisServer> {
    const directory = await mkdtemp(join(tmpdir(), 'redis-'));
    const server = new RedisServer(await freePort(), directory, options);
    await server.launch();
    return server;
  }

  /** Starts it, or starts it again on what it had stored. */
  async launch(): Promise<void> {
    const settings = [
      '--port',
      String(this.port),
      '--bind',
      '127.0.0.1',
      '--dir',
      this.directory,
      '--save',
      '',
    ];
    const process = spawn('redis-server', [...settings, ...this.options], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.#process = process;
    const failed = once(process, 'error').then(([error]) => Promise.reject(error));
    await Promise.race([failed, readiness(process)]);
  }

  /** Starts it again where a test has killed it. */
  async launchIfDown(): Promise<void> {
    if (!this.#isUp()) await this.launch();
  }

  /** Ends it as a power cut would. */
  async kill(): Promise<void> {
    if (!this.#process || !this.#isUp()) return;
    const exit = once(this.#process, 'exit');
    this.#process.kill('SIGKILL');
    await exit;
  }

  async stop(): Promise<void> {
    await this.kill();
    await rm(this.directory, { recursive: true, force: true });
  }

  #isUp(): boolean {
    return this.#process?.exitCode === null && this.#process.signalCode === null;
  }
}

/** A cluster of three nodes, each with a third of the slots. */
export class RedisCluster {
  private constructor(
    readonly client: Cluster,
    private readonly servers: readonly RedisServer[],
  ) {}

  static async start(): Promise<RedisCluster> {
    const servers: RedisServer[] = [];
    for (let number = 0; number < 3; number += 1) {
      const busPort = String(await freePort());
      servers.push(await RedisServer.start('--cluster-enabled', 'yes', '--cluster-port', busPort));
    }
    const nodes = servers.map(({ port }) => `127.0.0.1:${port}`);
    await promisify(execFile)('redis-cli', ['--cluster', 'create', ...nodes, '--cluster-yes']);
    const client = new Cluster(servers.map(({ port }) => ({ host: '127.0.0.1', port })));
    return new RedisCluster(client, servers);
  }

  async stop(): Promise<void> {
    this.client.disconnect();
    await Promise.all(this.servers.map((server) => server.stop()));
  }
}

/** A `describe` that starts servers of its own: left out where Redis is not installed, and with `CI=true` a failure. */
export function describeWithRedisServers(suite: string, body: () => void): void {
  const installed = ['redis-server', 'redis-cli'].every((name) => !spawnSync(name, ['--version']).error);
  if (installed || process.env.CI === 'true') {
    describe(suite, body);
    return;
  }
  process.stderr.write(`Left out: ${suite}. Install redis-server and redis-cli.\n`);
  describe.skip(suite, () => {
    it('is left out: redis-server and redis-cli are not installed', () => {});
  });
}

async function readiness(process: ChildProcess): Promise<void> {
  if (!process.stdout) return;
  for await (const line of createInterface(process.stdout)) {
    if (line.includes('Ready to accept connections')) break;
  }
  process.stdout.resume();
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  await new Promise((closed) => server.close(closed));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
