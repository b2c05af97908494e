import {
  type ResolvedSimulatorOptions,
  resolveSimulatorOptions,
  type ScalekitDeliverySimulatorOptions,
} from './delivery-simulator.options.js';
import {
  type SimulatedAttempt,
  type SimulatedState,
  type SimulationReport,
  totalsOf,
} from './delivery-simulator.report.js';
import { planCopies, type SimulatedPayload, SimulationRun } from './delivery-simulator.run.js';
import { SimulatedSecrets } from './delivery-simulator.secrets.js';
import { TestedEndpoint } from './scalekit-webhook.tester.js';

/**
 * Sends events as Scalekit does, to storm your own application in a test: at least once, several at a time, some of them
 * several times and out of order, on Scalekit's retry schedules, each retry signed afresh under another `webhook-id`.
 *
 * @example
 * ```ts
 * const scalekit = new ScalekitDeliverySimulator({ app, timeScale: 10_000, duplicates: 3, reorder: true });
 * const { totals } = await scalekit.send(events);
 * expect(totals.acknowledged).toBe(events.length);
 * ```
 */
export class ScalekitDeliverySimulator {
  readonly #options: ResolvedSimulatorOptions;

  /** @throws ScalekitWebhooksConfigurationError when an option cannot work */
  constructor(options: ScalekitDeliverySimulatorOptions) {
    this.#options = resolveSimulatorOptions(options);
  }

  /**
   * Sends the events until each of their copies is acknowledged or its attempts are spent.
   *
   * @param options.signal ends it early, once the requests under way are answered
   */
  async send(
    events: readonly SimulatedPayload[],
    { signal }: { readonly signal?: AbortSignal } = {},
  ): Promise<SimulationReport> {
    const options = this.#options;
    const { urls, secrets } = await this.#target();
    const copies = planCopies(events.length, options);
    const run = new SimulationRun({ options, urls, secrets, events, signal });
    await run.send(copies);

    const copiesOf = new Map<number, number>();
    for (const { index } of copies) copiesOf.set(index, (copiesOf.get(index) ?? 0) + 1);
    const simulated = events.map(({ id, type }, index) => {
      const attempts = run.attempts[index] ?? [];
      const state = stateOf(attempts, run.aborted.has(index));
      return { id, type, state, copies: copiesOf.get(index) ?? 0, attempts };
    });
    return { events: simulated, totals: totalsOf(simulated, run.elapsedMs) };
  }

  async #target(): Promise<{ urls: readonly string[]; secrets: SimulatedSecrets }> {
    const { app, endpoint, path, urls, secrets } = this.#options;
    if (!app) return { urls: [urls ?? []].flat(), secrets: new SimulatedSecrets(secrets ?? []) };
    const tested = new TestedEndpoint(app, endpoint);
    const url = await tested.url(path);
    return { urls: [url], secrets: new SimulatedSecrets(secrets ?? (await tested.secret())) };
  }
}

function stateOf(attempts: readonly SimulatedAttempt[], aborted: boolean): SimulatedState {
  if (attempts.some(({ acknowledged }) => acknowledged)) return 'acknowledged';
  return aborted ? 'aborted' : 'given_up';
}
