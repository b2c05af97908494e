import { type ChildProcess, fork } from 'node:child_process';
import { endProcess } from '../helpers/child-process.js';
import { type AppReport, type AppSettings, SETTINGS_VARIABLE, type StartCommand } from './storm.settings.js';

const APP = new URL('./app.js', import.meta.url);
const START_TIMEOUT_MS = 30_000;

/** A process of the application. */
class Member {
  runsSince = 0;
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

  /** Listens on a port, or works on the inbox. */
  async start(port: number | undefined): Promise<void> {
    await this.#warm;
    const started = this.#hear('started');
    const command: StartCommand = port === undefined ? {} : { port };
    this.#child.send(command);
    await started;
    this.runsSince = performance.now();
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

/** The processes of the application, one in each place, and a spare one that replaces the next process to be killed. */
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
    private readonly places: readonly (number | undefined)[],
  ) {
    this.#spare = this.#hire();
  }

  /** @param places the port of each process, or undefined for one that works on the inbox */
  static async start(settings: AppSettings, places: readonly (number | undefined)[]): Promise<Fleet> {
    const fleet = new Fleet(settings, places);
    for (const place of places.keys()) await fleet.#fill(place);
    return fleet;
  }

  /** Fires at the first crash. */
  get crashed(): AbortSignal {
    return this.#crashed.signal;
  }

  /** Kills the process that has run the longest, and replaces it. */
  async killOldest(): Promise<void> {
    const [oldest, ...others] = this.#members
      .filter(({ isDoomed, runsSince }) => !isDoomed && runsSince > 0)
      .sort((a, b) => a.runsSince - b.runsSince);
    // Wait until all are up: on a slow machine, processes are killed faster than they start.
    if (!oldest || others.length < this.places.length - 1) return;
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
    await member.start(this.places[place]);
  }
}
