import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach } from '@jest/globals';

const RUNNER = fileURLToPath(new URL('./sqlite-worker.mjs', import.meta.url));
const WORKER = fileURLToPath(new URL('./sqlite-worker.main.ts', import.meta.url));

const started: ChildProcessWithoutNullStreams[] = [];

afterEach(async () => {
  const running = started.splice(0).filter(({ exitCode, signalCode }) => exitCode === null && !signalCode);
  await Promise.all(running.map(kill));
});

/** A process of its own that has the ledger open. */
export interface SqliteWorker {
  /** The next line that it prints. */
  line(): Promise<string>;
  /** Lets it go on from where it waits. */
  proceed(): void;
  /** Ends it as a crash would. */
  kill(): Promise<void>;
}

/** Starts a process that does a task of `sqlite-worker.main.ts` on a file. */
export function startSqliteWorker(task: string, file: string, ...parameters: string[]): SqliteWorker {
  const child = spawn(process.execPath, [RUNNER, WORKER, task, file, ...parameters]);
  started.push(child);
  const errors: Buffer[] = [];
  child.stderr.on('data', (chunk) => errors.push(chunk));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    line: async () => {
      const { value } = await lines.next();
      if (value === undefined) throw new Error(`The worker ended: ${Buffer.concat(errors)}`);
      return value;
    },
    proceed: () => child.stdin.write('\n'),
    kill: () => kill(child),
  };
}

async function kill(child: ChildProcessWithoutNullStreams): Promise<void> {
  const exit = once(child, 'exit');
  child.kill('SIGKILL');
  await exit;
}
