import {
  checkOptions,
  describeValue,
  integerUpTo,
  MAX_DURATION_MS,
  type OptionChecks,
  oneOf,
  optional,
  refuseSetting,
  requireText,
} from '../errors/settings.js';
import {
  type ApiEvent,
  type ApiTime,
  type EventsApiErrorCode,
  type EventsApiPage,
  type EventsApiRequest,
  type EventsApiRequestFilter,
  type ListeningEventsApi,
  serveEventsApi,
} from './simulated-events-api.server.js';

/** Options of {@link SimulatedEventsApi}. */
export interface SimulatedEventsApiOptions {
  /**
   * How long after its `occurred_at` an event becomes visible, in milliseconds.
   * @default visible at once
   */
  visibleAfterMs?: number;
}

/** How a request to the simulated API fails. The last one needs a request with a page token. */
export type EventsApiFault = (typeof FAULTS)[number];

const FAULTS = ['unavailable', 'resource_exhausted', 'unauthenticated', 'invalid_page_token'] as const;

/** A request that the simulated API refuses. */
class EventsApiError extends Error {
  constructor(readonly code: EventsApiErrorCode) {
    super(`[${code}] the simulated Events API refused the request`);
    this.name = 'EventsApiError';
  }
}

const CHECKS: OptionChecks<SimulatedEventsApiOptions> = {
  visibleAfterMs: optional(integerUpTo(MAX_DURATION_MS)),
};
const DEFAULT_PAGE_SIZE = 10;
const LARGEST_PAGE = 100;

/**
 * Scalekit's Events API for your tests: it has the events that you add, and lists them as Scalekit does, newest first and in
 * pages. Pass its `client` to `ScalekitRecoveryModule`, or let the real Scalekit SDK call it over gRPC.
 *
 * @example
 * ```ts
 * const api = new SimulatedEventsApi();
 * api.add(createScalekitEvent('user.created'));
 * ScalekitRecoveryModule.forRoot({ client: api.client });
 * ```
 */
export class SimulatedEventsApi {
  readonly #visibleAfterMs: number;
  readonly #faults: EventsApiFault[] = [];
  #events: { readonly event: ApiEvent; readonly at: bigint }[] = [];
  #requests = 0;
  #outage?: EventsApiFault;

  /** @throws ScalekitWebhooksConfigurationError when an option is unknown or invalid */
  constructor(options: SimulatedEventsApiOptions = {}) {
    this.#visibleAfterMs = checkOptions(options, CHECKS).visibleAfterMs ?? 0;
  }

  /**
   * Adds events, for example from `createScalekitEvent`.
   * @throws ScalekitWebhooksConfigurationError for something that is not an event
   */
  add(...events: readonly object[]): void {
    for (const event of events) {
      const added = toApiEvent(event);
      this.#events.push({ event: added, at: nanosecondsOf(added.occurredAt) });
    }
    this.#events.sort((one, other) => (one.at < other.at ? 1 : one.at > other.at ? -1 : 0));
  }

  /** Lets the next requests fail, one for each of these faults. */
  failNext(...faults: readonly EventsApiFault[]): void {
    for (const fault of faults) oneOf(FAULTS)('faults', fault);
    this.#faults.push(...faults);
  }

  /** Lets every request fail until `end()` is called. */
  beginOutage(fault: EventsApiFault = 'unavailable'): { end(): void } {
    oneOf(FAULTS)('fault', fault);
    this.#outage = fault;
    return { end: () => (this.#outage = undefined) };
  }

  /** How many requests there have been, including those that failed. */
  get requests(): number {
    return this.#requests;
  }

  /** A client like that of the Scalekit SDK, without a network. */
  get client() {
    const list = async (pageSize?: number, pageToken?: string, filter?: EventsApiRequestFilter) =>
      this.list({ pageSize, pageToken, filter });
    return { events: { listEventsPaginated: list } };
  }

  /**
   * Serves the API for the real Scalekit SDK: over gRPC, with an OAuth token endpoint, on a free port of 127.0.0.1. It needs
   * `@scalekit-sdk/node`.
   *
   * @example
   * ```ts
   * const { url, clientId, clientSecret, close } = await api.listen();
   * const scalekit = new ScalekitClient(url, clientId, clientSecret);
   * ```
   */
  listen(): Promise<ListeningEventsApi> {
    return serveEventsApi((request) => this.list(request));
  }

  /**
   * Answers a request.
   *
   * @throws an error with the `code` of a gRPC error
   */
  list({ pageSize = 0, pageToken = '', filter = {} }: EventsApiRequest): EventsApiPage {
    this.#requests += 1;
    this.#failAsTold(pageToken);
    const { startTime, endTime, eventTypes = [], organizationId = '' } = filter;
    const from = startTime && nanosecondsOf(startTime);
    const until = endTime && nanosecondsOf(endTime);
    if (from !== undefined && until !== undefined && from > until)
      throw new EventsApiError('invalid_argument');
    const visibleUntil = BigInt(Date.now() - this.#visibleAfterMs) * 1_000_000n;
    const found = this.#events.filter(
      ({ event, at }) =>
        at <= visibleUntil &&
        (from === undefined || at >= from) &&
        (until === undefined || at < until) &&
        (eventTypes.length === 0 || eventTypes.includes(event.type)) &&
        (organizationId === '' || event.organizationId === organizationId),
    );
    const first = pageToken === '' ? 0 : positionOf(pageToken);
    const next = first + (pageSize === 0 ? DEFAULT_PAGE_SIZE : Math.min(pageSize, LARGEST_PAGE));
    return {
      events: found.slice(first, next).map(({ event }) => event),
      // A position: when an event is added, the pages that follow shift.
      nextPageToken: next < found.length ? tokenOf(next) : '',
      prevPageToken: first === 0 ? '' : tokenOf(Math.max(0, first - (next - first))),
    };
  }

  #failAsTold(pageToken: string): void {
    const needsToken = this.#faults[0] === 'invalid_page_token' && pageToken === '';
    const fault = this.#outage ?? (needsToken ? undefined : this.#faults.shift());
    if (fault) throw new EventsApiError(fault === 'invalid_page_token' ? 'invalid_argument' : fault);
  }
}

function tokenOf(position: number): string {
  return Buffer.from(`position ${position}`).toString('base64url');
}

function positionOf(token: string): number {
  const [, position] = /^position (\d+)$/.exec(Buffer.from(token, 'base64url').toString()) ?? [];
  if (position === undefined) throw new EventsApiError('invalid_argument');
  return Number(position);
}

function nanosecondsOf({ seconds = 0n, nanos = 0 }: ApiTime): bigint {
  return seconds * 1_000_000_000n + BigInt(nanos);
}

/** The event in the form of the API, from the payload of a webhook. */
function toApiEvent(payload: object): ApiEvent {
  const given = new Map<string, unknown>(Object.entries(payload));
  const textOf = (name: string) => (typeof given.get(name) === 'string' ? String(given.get(name)) : '');
  for (const name of ['id', 'type', 'occurred_at']) requireText(`event.${name}`, given.get(name));
  const time = Date.parse(textOf('occurred_at'));
  if (Number.isNaN(time)) {
    refuseSetting(
      'event.occurred_at',
      `event.occurred_at must be a time, found ${describeValue(textOf('occurred_at'))}.`,
    );
  }
  const [, decimals = ''] = /\.(\d+)/.exec(textOf('occurred_at')) ?? [];
  const organizationId = textOf('organization_id');
  return {
    id: textOf('id'),
    type: textOf('type'),
    specVersion: textOf('spec_version'),
    environmentId: textOf('environment_id'),
    ...(organizationId !== '' && { organizationId }),
    occurredAt: {
      seconds: BigInt(Math.floor(time / 1000)),
      nanos: Number(decimals.slice(0, 9).padEnd(9, '0')),
    },
    object: textOf('object'),
    displayName: textOf('display_name'),
    data: JSON.parse(JSON.stringify(given.get('data') ?? {})),
  };
}
