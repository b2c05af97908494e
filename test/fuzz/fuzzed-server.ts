import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ServerCommand, ServerReport } from './server.js';

const ANSWER_TIMEOUT_MS = 20_000;

/** The process with the application to fuzz. */
export class FuzzedServer {
  private constructor(
    private readonly process: ChildProcess,
    readonly port: number,
  ) {}

  static async start(adapter: string, onExit: (code: number | null) => void): Promise<FuzzedServer> {
    const process = fork(new URL('./server.js', import.meta.url), [adapter], { execArgv: ['--expose-gc'] });
    process.once('exit', onExit);
    const [{ port = 0 }] = (await once(process, 'message')) as [ServerReport];
    return new FuzzedServer(process, port);
  }

  get hasExited(): boolean {
    return this.process.exitCode !== null;
  }

  /** Undefined if the server does not answer, for example because it cannot close: a request hangs. */
  async ask(command: ServerCommand): Promise<ServerReport | undefined> {
    this.process.send(command);
    const answer = await Promise.race([
      once(this.process, 'message'),
      sleep(ANSWER_TIMEOUT_MS, undefined, { ref: false }),
    ]);
    return answer?.[0];
  }

  kill(): void {
    this.process.kill('SIGKILL');
  }
}
