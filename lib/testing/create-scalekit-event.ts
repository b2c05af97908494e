import { randomUUID } from 'node:crypto';
import { isScalekitEventType, type ScalekitEventMap, type ScalekitEventType } from '../events/catalog.js';
import type { UnknownScalekitEvent } from '../events/unknown.event.js';
import type { UnlistedScalekitEventType } from '../events/unlisted-event.js';
import { hydrateEvent } from '../parse/hydrate-event.js';
import { EVENT_SAMPLES, type EventSample } from './event-samples.js';
import { digitsFor, fillSample } from './fill-sample.js';
import { mergeOverrides } from './merge-overrides.js';

type DeepPartial<T> = T extends readonly unknown[]
  ? T
  : T extends object
    ? { readonly [K in keyof T]?: DeepPartial<T[K]> }
    : T;

/** Fields of an event that shall differ from the sample. The type cannot: it is the first argument. */
export type ScalekitEventOverrides<E> = DeepPartial<Omit<E, 'type'>>;

/** How a sample event is made. */
export interface CreateScalekitEventOptions {
  /**
   * The same seed and type make the same event, ids and times included, and events of different types with the same
   * seed speak of the same organization, user and so on.
   * @default none: new ids each time, and the time is now
   */
  readonly seed?: number | string;
}

const UNKNOWN_SAMPLE: EventSample = { object: 'Unknown', data: { id: 'obj_#' }, organization: true };
const FIRST_SECOND_OF_2025 = Date.UTC(2025, 0, 1) / 1000;
const SECONDS_IN_A_YEAR = 365n * 86_400n;

/**
 * Makes a valid event of any type, filled with made-up data, for your tests. It is the DTO that handlers get, and
 * `JSON.stringify` makes of it what comes on the wire.
 *
 * @param overrides merged into the sample: objects field by field, arrays as a whole; `undefined` removes a field
 * @example createScalekitEvent('user.created', { data: { user: { email: 'new@example.com' } } }, { seed: 1 })
 */
export function createScalekitEvent<T extends ScalekitEventType>(
  type: T,
  overrides?: ScalekitEventOverrides<ScalekitEventMap[T]>,
  options?: CreateScalekitEventOptions,
): ScalekitEventMap[T];
export function createScalekitEvent(
  type: UnlistedScalekitEventType,
  overrides?: ScalekitEventOverrides<UnknownScalekitEvent>,
  options?: CreateScalekitEventOptions,
): UnknownScalekitEvent;
export function createScalekitEvent(
  type: string,
  overrides: object = {},
  { seed }: CreateScalekitEventOptions = {},
): object {
  const { object, data, organization } = isScalekitEventType(type) ? EVENT_SAMPLES[type] : UNKNOWN_SAMPLE;
  const seedText = String(seed ?? randomUUID());
  const occurredAt = seed === undefined ? new Date() : timeFor(seedText, type);
  const sample = {
    spec_version: '1',
    id: `evt_${digitsFor(seedText, type)}`,
    type,
    object,
    environment_id: 'env_#',
    ...(organization && { organization_id: 'org_#' }),
    occurred_at: occurredAt.toISOString(),
    data,
  };
  const event = mergeOverrides(fillSample(sample, seedText, occurredAt), overrides);
  // A copy, as the objects among the overrides are the caller's own.
  return hydrateEvent(JSON.parse(JSON.stringify({ ...event, type })));
}

function timeFor(seed: string, type: string): Date {
  const offset = BigInt(digitsFor(seed, type, 'occurred_at')) % SECONDS_IN_A_YEAR;
  return new Date((FIRST_SECOND_OF_2025 + Number(offset)) * 1000);
}
