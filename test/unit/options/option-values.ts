/** Values that one option refuses, and values that it takes. */
export interface OptionRow {
  readonly refuses: readonly unknown[];
  readonly takes: readonly unknown[];
}

export const noop = () => {};
export const NO_ITEMS: readonly unknown[] = [];
export const NO_MEMBERS = {};
const TOO_LARGE = 2 ** 31;
const NUMBERS = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0, -1, 1.5, TOO_LARGE];
const OTHERS = [null, '', '1', 'misspelt', true, NO_MEMBERS, NO_ITEMS, noop, Symbol('text'), 10n];

/** A row: the option takes these values, and refuses every other value that users pass by mistake. */
export function row(takes: readonly unknown[], except: readonly unknown[] = []): OptionRow {
  const refuses = [...NUMBERS, ...OTHERS, 1].filter((value) => ![...takes, ...except].includes(value));
  return { takes, refuses };
}

/** The row of an option that users must set. */
export function required({ takes, refuses }: OptionRow): OptionRow {
  return { takes, refuses: [undefined, ...refuses] };
}

/** A whole number from 1 to 2 ** 31 - 1. */
export const COUNT = row([1, 2 ** 31 - 1]);
/** Milliseconds that a timer must be able to wait for. */
export const DURATION = row([1, 60_000, 2 ** 30 - 1]);
/** Milliseconds for which a store keeps events: 30 days are more than a timer can wait for. */
export const RETENTION = row([1, TOO_LARGE, 30 * 24 * 60 * 60 * 1000]);
export const BOOLEAN = row([true, false]);
export const FUNCTION = row([noop]);
export const TEXT = row(['1', 'misspelt']);
export const TIME = row([1, 0, -1, 1.5, TOO_LARGE, new Date()]);
