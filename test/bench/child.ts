import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';

/** A child process that answers one message at a time. */
export class Child {
  readonly #ended: Promise<never>;

  private constructor(private readonly process: ChildProcess) {
    this.#ended = once(process, 'exit').then(([code]) => {
      throw new Error(`A child process of the bench exited with code ${code}`);
    });
    this.#ended.catch(() => undefined);
  }

  /** Resolves when the process has sent a first message, which says that it is ready. */
  static async start(script: string, args: readonly string[] = []): Promise<Child> {
    const child = new Child(fork(new URL(script, import.meta.url), args));
    await child.#answer();
    return child;
  }

  async ask<T>(message: object): Promise<T> {
    this.process.send(message);
    return (await this.#answer()) as T;
  }

  async stop(): Promise<void> {
    this.process.kill();
    await this.#ended.catch(() => undefined);
  }

  async #answer(): Promise<unknown> {
    const stopWaiting = new AbortController();
    const message = once(this.process, 'message', { signal: stopWaiting.signal });
    try {
      const [answer] = await Promise.race([message, this.#ended]);
      return answer;
    } finally {
      stopWaiting.abort();
      message.catch(() => undefined);
    }
  }
}
