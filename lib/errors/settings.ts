import { ScalekitWebhooksConfigurationError } from './errors.js';

/** @throws ScalekitWebhooksConfigurationError always */
export function refuseSetting(setting: string, message: string): never {
  throw new ScalekitWebhooksConfigurationError(setting, message);
}

/** @throws ScalekitWebhooksConfigurationError unless the value is a whole number from 1 to `max` */
export function requirePositiveInteger(setting: string, value: number, max = Number.MAX_SAFE_INTEGER): void {
  if (!Number.isSafeInteger(value) || value <= 0) {
    refuseSetting(
      setting,
      `${setting} must be a whole number greater than 0, found ${describeValue(value)}.`,
    );
  }
  if (value > max) refuseSetting(setting, `${setting} must be at most ${max}, found ${value}.`);
}

/** @throws ScalekitWebhooksConfigurationError unless the value is one of those allowed */
export function requireOneOf(setting: string, value: unknown, allowed: readonly unknown[]): void {
  if (allowed.includes(value)) return;
  refuseSetting(setting, `${setting} accepts only ${allowed.join(', ')}; found ${describeValue(value)}.`);
}

const APPLICATION_NAME = /^[\w.-]{1,64}$/;

/** @throws ScalekitWebhooksConfigurationError unless the value names an application; it can then be part of keys and SQL */
export function requireApplication(value: unknown): void {
  if (typeof value === 'string' && APPLICATION_NAME.test(value)) return;
  const problem =
    value === undefined
      ? 'application is required'
      : `application takes 1 to 64 letters, digits, ".", "_" and "-"; found ${describeValue(value)}`;
  refuseSetting(
    'application',
    `${problem}. It is part of every key, so that applications that share a database keep their events separate. ` +
      "Name your application, for example application: 'billing'.",
  );
}

/** @throws ScalekitWebhooksConfigurationError unless the value is an object with this method */
export function requireMethod(setting: string, value: unknown, method: string): void {
  if (typeof Reflect.get(Object(value), method) === 'function') return;
  refuseSetting(setting, `${setting} must be an object with a ${method}() method.`);
}

/**
 * The longest duration that an option accepts, in ms: about 12 days. Leases last twice as long, and timers are limited
 * to 2^31 ms.
 */
export const MAX_DURATION_MS = 2 ** 30 - 1;

/** @throws ScalekitWebhooksConfigurationError unless the value is a whole number of ms from 1 to {@link MAX_DURATION_MS} */
export function requireDurationMs(setting: string, value: number): void {
  requirePositiveInteger(setting, value, MAX_DURATION_MS);
}

/** @throws ScalekitWebhooksConfigurationError unless the value is a number of ms or `{ type, delayMs }` */
export function requireBackoff(setting: string, value: unknown): void {
  if (typeof value === 'number') {
    requireDurationMs(setting, value);
    return;
  }
  if (typeof value !== 'object' || value === null || !('type' in value) || !('delayMs' in value)) {
    refuseSetting(
      setting,
      `${setting} must be a number of milliseconds or { type, delayMs }, found ${describeValue(value)}.`,
    );
  }
  requireOneOf(`${setting}.type`, value.type, ['fixed', 'exponential']);
  requireDurationMs(`${setting}.delayMs`, Number(value.delayMs));
}

// A signing secret can end up in the wrong option.
const SIGNING_SECRET = /whsec_[^\s,]+/g;

/** Describes an invalid value in a message: on one line, shortened, and without signing secrets. */
export function describeValue(value: unknown): string {
  return JSON.stringify(String(value).replaceAll(SIGNING_SECRET, 'whsec_…').slice(0, 80));
}
