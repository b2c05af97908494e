import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { Cluster } from 'ioredis';
import { endProcess, endWithThisProcess, isRunning } from './child-process.js';
import { freePort } from './free-port.js';

/** The options of a server that loses nothing in a crash. */
export const DURABLE = ['--appendonly', 'yes', '--appendfsync', 'always'] as const;

/** A Redis server on a free port and a directory of its own. */
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

  /** Starts the server, on the data that it had before. */
  async launch(): Promise<void> {
    const place = ['--port', String(this.port), '--bind', '127.0.0.1', '--dir', this.directory];
    const child = spawn('redis-server', [...place, '--save', '', ...this.options], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.#process = child;
    endWithThisProcess(child);
    const failed = once(child, 'error').then(([error]) => Promise.reject(error));
    await Promise.race([failed, untilReady(child)]);
  }

  /** Starts the server if a test has killed it. */
  async launchIfDown(): Promise<void> {
    if (!this.#process || !isRunning(this.#process)) await this.launch();
  }

  /** Ends it as a crash would. */
  async kill(): Promise<void> {
    if (this.#process) await endProcess(this.#process);
  }

  /** Ends it, and deletes its data. */
  async stop(): Promise<void> {
    await this.kill();
    await rm(this.directory, { recursive: true, force: true });
  }
}

async function untilReady({ stdout }: ChildProcess): Promise<void> {
  if (!stdout) return;
  let isReady = false;
  for await (const line of createInterface(stdout)) {
    isReady = line.includes('Ready to accept connections');
    if (isReady) break;
  }
  if (!isReady) throw new Error('redis-server did not start');
  stdout.resume();
}

/** A cluster of three servers, each with a third of the slots. */
export class RedisCluster {
  private constructor(
    readonly client: Cluster,
    private readonly servers: readonly RedisServer[],
  ) {}

  static async start(): Promise<RedisCluster> {
    const servers: RedisServer[] = [];
    for (let number = 0; number < 3; number += 1) servers.push(await startNode());
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

/** Another process may take a port between its choice and its use, so this tries again with others. */
async function startNode(triesLeft = 4): Promise<RedisServer> {
  const busPort = String(await freePort());
  try {
    return await RedisServer.start('--cluster-enabled', 'yes', '--cluster-port', busPort);
  } catch (error) {
    if (triesLeft === 0) throw error;
    return startNode(triesLeft - 1);
  }
}

export function isRedisInstalled(): boolean {
  return ['redis-server', 'redis-cli'].every((name) => !spawnSync(name, ['--version']).error);
}
