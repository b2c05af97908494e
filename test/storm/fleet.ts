import { type ChildProcess, fork } from 'node:child_process';
import { endProcess } from '../helpers/child-process.js';
import { type AppReport, type AppSettings, type ListenCommand, SETTINGS_VARIABLE } from './storm.settings.js';

const APP = new URL('./app.js', import.meta.url);
const START_TIMEOUT_MS = 30_000;

/** A process of the application. */
class Member {
  listensSince = 0;
  /** Whether the fleet has ended it, or is about to. */
  isDoomed = false;
  readonly #child: ChildProcess;
  readonly #warm: Promise<void>;

  constructor(settings: AppSettings, onCrash: (pid: number) => void) {
    const env = { ...process.env, [SETTINGS_VARIABLE]: JSON.stringify(settings) };
    this.#child = fork(APP, { env, stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    this.#child.once('exit', () => {
      if (!this.isDoomed) onCrash(this.pid);
    });
    this.#warm = this.#hear('warm');
    // A spare process may be ended before anything waits for it.
    this.#warm.catch(() => undefined);
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  async listen(port: number): Promise<void> {
    await this.#warm;
    const listening = this.#hear('listening');
    const command: ListenCommand = { port };
    this.#child.send(command);
    await listening;
    this.listensSince = performance.now();
  }

  kill(): Promise<void> {
    this.isDoomed = true;
    return endProcess(this.#child);
  }

  #hear(expected: AppReport): Promise<void> {
    return new Promise((resolve, reject) => {
      const failed = () => reject(new Error(`A process of the application is not ${expected}`));
      const timer = setTimeout(failed, START_TIMEOUT_MS);
      this.#child.on('message', (message) => {
        if (message === expected) done(resolve);
      });
      this.#child.once('exit', () => done(failed));
      const done = (end: () => void) => {
        clearTimeout(timer);
        end();
      };
    });
  }
}

/** The processes of the application, one for each port, and a spare one that replaces the next process to be killed. */
export class Fleet {
  /** When each process was killed, by its id, in ms since 1970. */
  readonly killed = new Map<number, number>();
  /** Processes that did not start, or ended on their own. None may. */
  readonly crashes: string[] = [];
  readonly #crashed = new AbortController();
  readonly #members: Member[] = [];
  #spare: Member;
  #closing = false;

  private constructor(
    private readonly settings: AppSettings,
    private readonly ports: readonly number[],
  ) {
    this.#spare = this.#hire();
  }

  static async start(settings: AppSettings, ports: readonly number[]): Promise<Fleet> {
    const fleet = new Fleet(settings, ports);
    for (const place of ports.keys()) await fleet.#fill(place);
    return fleet;
  }

  /** Fires at the first crash. */
  get crashed(): AbortSignal {
    return this.#crashed.signal;
  }

  /** Kills the process that has listened the longest, and replaces it. */
  async killOldest(): Promise<void> {
    const [oldest, ...others] = this.#members
      .filter(({ isDoomed, listensSince }) => !isDoomed && listensSince > 0)
      .sort((a, b) => a.listensSince - b.listensSince);
    // Wait until all are up: on a slow machine, processes are killed faster than they start.
    if (!oldest || others.length < this.ports.length - 1) return;
    this.killed.set(oldest.pid, Date.now());
    await oldest.kill();
    await this.#fill(this.#members.indexOf(oldest)).catch((error) => this.#crash(String(error)));
  }

  async stop(): Promise<void> {
    this.#closing = true;
    await Promise.all([...this.#members, this.#spare].map((member) => member.kill()));
  }

  #hire(): Member {
    return new Member(this.settings, (pid) => this.#crash(`process ${pid} ended on its own`));
  }

  #crash(reason: string): void {
    this.crashes.push(reason);
    this.#crashed.abort();
  }

  async #fill(place: number): Promise<void> {
    const member = this.#spare;
    if (this.#closing) return;
    this.#members[place] = member;
    this.#spare = this.#hire();
    await member.listen(this.ports[place] ?? 0);
  }
}
