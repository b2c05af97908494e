import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { endProcess } from './child-process.js';

const RUNNER = fileURLToPath(new URL('./run-typescript.mjs', import.meta.url));
const LIFETIME_MS = 60_000;

/** A process that runs a TypeScript file of the tests, and talks in lines. */
export class TypeScriptProcess {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #lines: AsyncIterator<string>;
  #errors = '';

  constructor(main: URL, ...args: string[]) {
    this.#child = spawn(process.execPath, [RUNNER, fileURLToPath(main), ...args], {
      // Large rehearsals take longer.
      timeout: Number(process.env.TEST_PROCESS_LIFETIME_MS ?? LIFETIME_MS),
      killSignal: 'SIGKILL',
    });
    this.#child.stderr.on('data', (chunk) => {
      this.#errors += chunk;
    });
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** The next line that it prints. */
  async line(): Promise<string> {
    const { value } = await this.#lines.next();
    if (value === undefined) throw new Error(`The process ended: ${this.#errors}`);
    return value;
  }

  /** Sends it an empty line, so that it continues. */
  proceed(): void {
    this.#child.stdin.write('\n');
  }

  /** Ends it as a crash would. */
  kill(): Promise<void> {
    return endProcess(this.#child);
  }
}
