import { Child } from '../child.js';
import type { LoadOrder, LoadReport } from './load.js';
import { ACKNOWLEDGING, type ReceiverName } from './receiver.js';
import type { ReceiverStatus } from './serve.js';

// The package refers to itself by name, so receivers run what `npm run build` made.
const THIS_BUILD = 'nestjs-scalekit-webhooks';

/** A receiver in a process of its own. */
export interface RunningReceiver {
  readonly name: ReceiverName;
  readonly child: Child;
}

type Load = Pick<LoadOrder, 'connections' | 'requestsPerConnection' | 'leavesCpu'>;

/** Running receivers, and one more process that sends requests to one of them at a time. */
export class Arena {
  readonly #children: Child[];
  #nextEvent = 0;

  private constructor(private readonly client: Child) {
    this.#children = [client];
  }

  static async open(): Promise<Arena> {
    return new Arena(await Child.start('./http/load.js'));
  }

  /** @param library the build of this library that our own receivers import */
  async start(name: ReceiverName, library = THIS_BUILD): Promise<RunningReceiver> {
    const child = await Child.start('./http/serve.js', [name, library]);
    this.#children.push(child);
    return { name, child };
  }

  /** @throws Error unless every request was accepted and its event handled */
  async load(
    { name, child }: RunningReceiver,
    { connections, requestsPerConnection, leavesCpu = false }: Load,
  ): Promise<LoadReport> {
    const before = await child.ask<ReceiverStatus>({});
    const amount = connections * requestsPerConnection;
    const report = await this.client.ask<LoadReport>({
      port: before.port,
      connections,
      requestsPerConnection,
      leavesCpu,
      asGitHub: name === '@octokit/webhooks, Node',
      firstEvent: this.#nextEvent,
    } satisfies LoadOrder);
    this.#nextEvent += amount;
    const handled = (await child.ask<ReceiverStatus>({})).handled - before.handled;
    const isHandled = ACKNOWLEDGING.includes(name) || handled === amount;
    if (report.accepted !== amount || !isHandled) {
      throw new Error(`${name}: of ${amount} requests ${report.accepted} were accepted, ${handled} handled`);
    }
    return report;
  }

  async close(): Promise<void> {
    await Promise.all(this.#children.map((child) => child.stop()));
  }
}
