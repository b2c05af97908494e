import { freePort } from '../../helpers/free-port.js';
import { Child } from '../child.js';
import type { LoadOrder, LoadReport } from './load.js';
import { RECEIVER_NAMES, type ReceiverName } from './receivers.js';

const SERVE = './http/serve.js';
const LOAD = './http/load.js';

type Load = Pick<LoadOrder, 'connections' | 'requestsPerConnection'>;

/** Every receiver in a process of its own, and one more process that loads one of them at a time. */
export class Arena {
  #firstEvent = 0;

  private constructor(
    private readonly receivers: ReadonlyMap<ReceiverName, { readonly port: number; readonly child: Child }>,
    private readonly source: Child,
  ) {}

  static async open(names: readonly ReceiverName[] = RECEIVER_NAMES): Promise<Arena> {
    const receivers = new Map<ReceiverName, { port: number; child: Child }>();
    for (const name of names) {
      const port = await freePort();
      receivers.set(name, { port, child: await Child.start(SERVE, [name, String(port)]) });
    }
    return new Arena(receivers, await Child.start(LOAD));
  }

  /** @throws Error unless each request was accepted, and its event handled */
  async load(name: ReceiverName, { connections, requestsPerConnection }: Load): Promise<LoadReport> {
    const receiver = this.receivers.get(name);
    if (!receiver) throw new Error(`there is no receiver ${name}`);
    const before = await receiver.child.ask<number>({});
    const amount = connections * requestsPerConnection;
    const report = await this.source.ask<LoadReport>({
      port: receiver.port,
      connections,
      requestsPerConnection,
      asGitHub: name === '@octokit/webhooks, Node',
      firstEvent: this.#firstEvent,
    } satisfies LoadOrder);
    this.#firstEvent += amount;
    const handled = (await receiver.child.ask<number>({})) - before;
    if (report.accepted !== amount || handled !== amount) {
      throw new Error(`${name}: of ${amount} requests ${report.accepted} were accepted, ${handled} handled`);
    }
    return report;
  }

  async close(): Promise<void> {
    await Promise.all(
      [this.source, ...[...this.receivers.values()].map(({ child }) => child)].map((child) => child.stop()),
    );
  }
}
