import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { end, endWithStorm, freePort, type OwnServer } from './own-server.js';

/** A Redis that keeps everything it has answered. */
export class StormRedis implements OwnServer {
  #process?: ChildProcess;

  private constructor(
    readonly port: number,
    private readonly directory: string,
  ) {}

  static async start(): Promise<StormRedis> {
    const server = new StormRedis(await freePort(), await mkdtemp(join(tmpdir(), 'storm-redis-')));
    await server.#launch();
    return server;
  }

  async crashAndRestart(): Promise<void> {
    if (this.#process) await end(this.#process, 'SIGKILL');
    await this.#launch();
  }

  async stop(): Promise<void> {
    if (this.#process) await end(this.#process, 'SIGKILL');
    await rm(this.directory, { recursive: true, force: true });
  }

  async #launch(): Promise<void> {
    const place = ['--port', String(this.port), '--bind', '127.0.0.1', '--dir', this.directory];
    const durability = ['--save', '', '--appendonly', 'yes', '--appendfsync', 'always'];
    const child = spawn('redis-server', [...place, ...durability], { stdio: ['ignore', 'pipe', 'inherit'] });
    this.#process = child;
    endWithStorm(child, 'SIGKILL');
    for await (const line of createInterface(child.stdout)) {
      if (line.includes('Ready to accept connections')) break;
    }
    child.stdout.resume();
    if (child.exitCode !== null) throw new Error('redis-server did not start');
  }
}
