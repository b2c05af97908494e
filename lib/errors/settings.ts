import { isDate } from 'node:util/types';
import { ScalekitWebhooksConfigurationError } from './errors.js';
import { withoutSecrets } from './safe-text.js';

/**
 * Checks the value of a setting.
 *
 * @throws ScalekitWebhooksConfigurationError that names the setting, what was found, and what to do
 */
export type SettingCheck = (setting: string, value: unknown) => void;

/** One check for each option of a type. An option without a check does not compile. */
export type OptionChecks<T> = { readonly [Name in keyof T]-?: SettingCheck };

/** @throws ScalekitWebhooksConfigurationError always */
export function refuseSetting(setting: string, message: string): never {
  throw new ScalekitWebhooksConfigurationError(setting, message);
}

/**
 * Checks an object of options: every option that it has must exist, and every value must pass its check.
 *
 * @param parent the setting that holds the object, if it is not the argument itself
 * @returns the options that the object has itself. The copy inherits nothing, not even what other code may have added to
 *   `Object.prototype`, so read the options from it.
 */
export function checkOptions<T extends object>(
  options: unknown,
  checks: OptionChecks<T>,
  parent?: string,
): T {
  if (!isObject(options)) {
    const found = describeValue(options);
    if (parent === undefined) refuseSetting('options', `The options must be an object, found ${found}.`);
    refuseSetting(parent, `${parent} must be an object, found ${found}.`);
  }
  const own = withoutPrototype(options) as Record<string, unknown>;
  const known = Object.keys(checks);
  const settingOf = (name: string) => (parent === undefined ? name : `${parent}.${name}`);
  for (const name of Object.keys(own)) {
    if (known.includes(name)) continue;
    const nearest = nearestName(name, known);
    const advice = nearest ? `Did you mean ${settingOf(nearest)}?` : `The options are ${known.join(', ')}.`;
    refuseSetting(settingOf(name), `Unknown option ${describeValue(settingOf(name))}. ${advice}`);
  }
  for (const [name, check] of Object.entries<SettingCheck>(checks)) {
    check(settingOf(name), own[name]);
  }
  return own as T;
}

/** A copy of an object's own properties, which inherits nothing. */
export function withoutPrototype<T extends object>(object: T): T {
  return Object.assign(Object.create(null), object);
}

/** The options without those that are undefined, so that defaults can take their place. */
export function withoutUndefined<T extends object>(options: T): T {
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  return withoutPrototype(Object.fromEntries(given)) as T;
}

/** Lets undefined pass, which means the default. */
export function optional(check: SettingCheck): SettingCheck {
  return (setting, value) => {
    if (value !== undefined) check(setting, value);
  };
}

/** Requires one of these values. */
export function oneOf(allowed: readonly unknown[]): SettingCheck {
  return (setting, value) => {
    if (allowed.includes(value)) return;
    refuseSetting(setting, `${setting} accepts only ${allowed.join(', ')}; found ${describeValue(value)}.`);
  };
}

/** Requires a list with at least one item, each of which passes the check. */
export function listOf(check: SettingCheck): SettingCheck {
  return (setting, value) => {
    if (!Array.isArray(value) || value.length === 0) {
      refuseSetting(
        setting,
        `${setting} must be an array with at least one item, found ${describeValue(value)}.`,
      );
    }
    for (const item of value) check(setting, item);
  };
}

/** Requires what the check requires, or a list of it with at least one item. */
export function oneOrMore(check: SettingCheck): SettingCheck {
  return (setting, value) => (Array.isArray(value) ? listOf(check) : check)(setting, value);
}

/** Requires an object with these methods. */
export function objectWith(...methods: readonly string[]): SettingCheck {
  return (setting, value) => {
    const missing = methods.find(
      (method) => !isObject(value) || typeof Reflect.get(value, method) !== 'function',
    );
    if (missing === undefined) return;
    refuseSetting(
      setting,
      `${setting} must be an object with a ${missing}() method, found ${describeValue(value)}.`,
    );
  };
}

/** Requires a whole number from 1 to `max`. */
export function integerUpTo(max: number): SettingCheck {
  return (setting, value) => {
    if (!Number.isInteger(value) || Number(value) <= 0) {
      refuseSetting(
        setting,
        `${setting} must be a whole number greater than 0, found ${describeValue(value)}.`,
      );
    }
    if (Number(value) > max) refuseSetting(setting, `${setting} must be at most ${max}, found ${value}.`);
  };
}

const APPLICATION_NAME = /^[\w.-]{1,64}$/;

/** Requires the name of an application. It can then be part of keys and SQL. */
export const requireApplication: SettingCheck = (setting, value) => {
  if (typeof value === 'string' && APPLICATION_NAME.test(value)) return;
  const problem =
    value === undefined
      ? `${setting} is required`
      : `${setting} must be 1 to 64 letters, digits, ".", "_" or "-"; found ${describeValue(value)}`;
  refuseSetting(
    setting,
    `${problem}. It is part of every key, so that applications that share a database keep their events separate. ` +
      "Name your application, for example application: 'billing'.",
  );
};

/** Requires a whole number from 1 to 2^31 - 1. */
export const requirePositiveInteger = integerUpTo(2 ** 31 - 1);

/**
 * The longest duration that an option accepts, in ms: about 12 days. Leases last twice as long, and timers are limited
 * to 2^31 ms.
 */
export const MAX_DURATION_MS = 2 ** 30 - 1;

/** Requires a whole number of ms from 1 to {@link MAX_DURATION_MS}. */
export const requireDurationMs = integerUpTo(MAX_DURATION_MS);

/** Requires a whole number of ms, up to a hundred years: databases cannot subtract much more from the current time. */
export const requireRetentionMs = integerUpTo(100 * 365 * 24 * 60 * 60 * 1000);

/** Requires a finite number. */
export const requireNumber: SettingCheck = (setting, value) => {
  if (Number.isFinite(value)) return;
  refuseSetting(setting, `${setting} must be a finite number, found ${describeValue(value)}.`);
};

/** Requires a finite number of seconds, 0 or more. */
export const requireToleranceSeconds: SettingCheck = (setting, value) => {
  if (Number.isFinite(value) && Number(value) >= 0) return;
  refuseSetting(
    setting,
    `${setting} must be a finite number of seconds, 0 or more; found ${describeValue(value)}.`,
  );
};

/** Requires a valid Date. */
export const requireDate: SettingCheck = (setting, value) => {
  if (isValidDate(value)) return;
  refuseSetting(setting, `${setting} must be a valid Date, found ${describeValue(value)}.`);
};

/** Requires a valid Date or a finite number. */
export const requireTime: SettingCheck = (setting, value) => {
  if (Number.isFinite(value) || isValidDate(value)) return;
  refuseSetting(
    setting,
    `${setting} must be a valid Date or a finite number, found ${describeValue(value)}.`,
  );
};

/** Requires a text that is not empty. */
export const requireText: SettingCheck = (setting, value) => {
  if (typeof value === 'string' && value !== '') return;
  refuseSetting(setting, `${setting} must be a string that is not empty, found ${describeValue(value)}.`);
};

/** Requires true or false. */
export const requireBoolean = oneOf([true, false]);

/** Requires a function. */
export const requireFunction: SettingCheck = (setting, value) => {
  if (typeof value === 'function') return;
  refuseSetting(setting, `${setting} must be a function, found ${describeValue(value)}.`);
};

const BACKOFF_CHECKS = { type: oneOf(['fixed', 'exponential']), delayMs: requireDurationMs };

/** Requires a number of ms or `{ type, delayMs }`. */
export const requireBackoff: SettingCheck = (setting, value) => {
  if (typeof value === 'number') return requireDurationMs(setting, value);
  if (isObject(value)) return checkOptions(value, BACKOFF_CHECKS, setting);
  refuseSetting(
    setting,
    `${setting} must be a number of milliseconds or { type, delayMs }, found ${describeValue(value)}.`,
  );
};

/** Describes an invalid value in a message: on one line, shortened, and without signing secrets. */
export function describeValue(value: unknown): string {
  if (typeof value === 'string') {
    return JSON.stringify(withoutSecrets(value).slice(0, 80));
  }
  if (typeof value === 'function') return 'a function';
  if (Array.isArray(value)) return value.length === 0 ? 'an empty array' : 'an array';
  if (isDate(value)) return 'an invalid date';
  return typeof value === 'object' && value !== null ? 'an object' : String(value);
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isValidDate(value: unknown): boolean {
  return isDate(value) && !Number.isNaN(value.getTime());
}

/** The known name that a misspelled one most likely stands for. */
function nearestName(name: string, known: readonly string[]): string | undefined {
  const isNear = (edits: number) => (other: string) =>
    isWithin(edits, name.toLowerCase(), other.toLowerCase());
  return known.find(isNear(1)) ?? known.find(isNear(2));
}

/** Whether one text becomes the other if at most this many letters are added, removed or replaced. */
function isWithin(edits: number, one: string, other: string): boolean {
  if (one === other) return true;
  if (one[0] === other[0]) return isWithin(edits, one.slice(1), other.slice(1));
  if (edits === 0) return false;
  const [oneRest, otherRest] = [one.slice(1), other.slice(1)];
  return [
    [oneRest, other],
    [one, otherRest],
    [oneRest, otherRest],
  ].some(([a = '', b = '']) => isWithin(edits - 1, a, b));
}
