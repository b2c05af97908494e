import {
  checkOptions,
  describeValue,
  type OptionChecks,
  objectWith,
  optional,
  refuseSetting,
  requireText,
} from '../errors/settings.js';
import {
  type ResolvedSimulatorOptions,
  resolveSimulatorOptions,
  type ScalekitDeliverySimulatorOptions,
  type SimulatedAttempt,
} from './delivery-simulator.options.js';
import { planCopies, type SimulatedPayload, SimulationRun } from './delivery-simulator.run.js';
import { type Destination, SimulatedSecrets, TestedEndpoint } from './tested-endpoint.js';

/** What a simulation sent, and how the application responded. */
export interface SimulationReport {
  /** In the order in which they were passed to `send`. */
  readonly events: readonly SimulatedEvent[];
  readonly totals: SimulationTotals;
}

/** The totals of a {@link SimulationReport}. */
export interface SimulationTotals {
  readonly events: number;
  readonly acknowledged: number;
  readonly givenUp: number;
  readonly aborted: number;
  /** How many copies of the events were planned. */
  readonly copies: number;
  /** How many attempts there were, including those that an outage kept from being sent. */
  readonly attempts: number;
  /** How many requests ended with each status. */
  readonly statuses: Readonly<Record<string, number>>;
  readonly durationMs: number;
}

/** One event and all requests that carried it. */
export interface SimulatedEvent {
  readonly id: string;
  readonly type: string;
  readonly state: SimulatedState;
  readonly copies: number;
  /** In the order in which they ended. */
  readonly attempts: readonly SimulatedAttempt[];
}

/**
 * The final state of an event:
 *
 * - `acknowledged`: at least one of its copies was acknowledged
 * - `given_up`: no copy was acknowledged, and all are out of attempts. Scalekit's Events API still has the event
 * - `aborted`: no copy was acknowledged before the simulation was aborted
 */
export type SimulatedState = 'acknowledged' | 'aborted' | 'given_up';

const SENDING_CHECKS: OptionChecks<{ readonly signal?: AbortSignal }> = {
  signal: optional(objectWith('addEventListener')),
};

function requireEvents(setting: string, events: unknown, haveTimes: boolean): void {
  if (!Array.isArray(events))
    refuseSetting(setting, `${setting} must be an array, found ${describeValue(events)}.`);
  for (const { id, type, occurred_at } of events.map(Object)) {
    requireText(`${setting}.id`, id);
    requireText(`${setting}.type`, type);
    if (haveTimes && Number.isNaN(Date.parse(occurred_at))) {
      refuseSetting(
        `${setting}.occurred_at`,
        `${setting}.occurred_at must be a time if outage is set, found ${describeValue(occurred_at)}.`,
      );
    }
  }
}

/**
 * Sends events to your application as Scalekit does: at least once, several at a time, with duplicates, out of order, and
 * on Scalekit's retry schedules. Use it in stress tests. Each attempt is signed again, under a new `webhook-id`.
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

  /** @throws ScalekitWebhooksConfigurationError when an option is unknown or invalid */
  constructor(options: ScalekitDeliverySimulatorOptions) {
    this.#options = resolveSimulatorOptions(options);
  }

  /**
   * Sends the events, and resolves when each of their copies is acknowledged or out of attempts.
   *
   * @param sending `signal` aborts the simulation: no more requests are sent, and the report covers those that were
   * @throws ScalekitWebhooksConfigurationError when one of them is not an event, `app` has no such endpoint, or no secret
   *   is known
   */
  async send(
    events: readonly SimulatedPayload[],
    sending: { readonly signal?: AbortSignal } = {},
  ): Promise<SimulationReport> {
    requireEvents('events', events, this.#options.outage !== undefined);
    const { signal } = checkOptions(sending, SENDING_CHECKS);
    const options = this.#options;
    const { destinations, secrets } = await this.#target();
    const copies = planCopies(events.length, options);
    const run = new SimulationRun({ options, destinations, secrets, events, signal });
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

  async #target(): Promise<{ destinations: readonly Destination[]; secrets: SimulatedSecrets }> {
    const { app, endpoint, path, urls, secrets } = this.#options;
    if (!app) {
      const destinations = [urls ?? []].flat().map((url) => ({ url: new URL(url) }));
      return { destinations, secrets: new SimulatedSecrets(secrets ?? []) };
    }
    const tested = new TestedEndpoint(app, endpoint);
    const destinations = [await tested.destination(path)];
    return { destinations, secrets: new SimulatedSecrets(secrets ?? (await tested.secret())) };
  }
}

function stateOf(attempts: readonly SimulatedAttempt[], aborted: boolean): SimulatedState {
  if (attempts.some(({ acknowledged }) => acknowledged)) return 'acknowledged';
  return aborted ? 'aborted' : 'given_up';
}

function totalsOf(events: readonly SimulatedEvent[], durationMs: number): SimulationTotals {
  const inState = (wanted: SimulatedState) => events.filter(({ state }) => state === wanted).length;
  const attempts = events.flatMap((event) => event.attempts);
  const statuses: Record<string, number> = {};
  for (const { status } of attempts) statuses[status] = (statuses[status] ?? 0) + 1;
  return {
    events: events.length,
    acknowledged: inState('acknowledged'),
    givenUp: inState('given_up'),
    aborted: inState('aborted'),
    copies: events.reduce((sum, { copies }) => sum + copies, 0),
    attempts: attempts.length,
    statuses,
    durationMs,
  };
}
