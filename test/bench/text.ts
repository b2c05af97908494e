import type { Timing } from './rounds.js';
import { median, quantile } from './statistics.js';

/** A timing's median. */
export function microseconds({ samples }: Timing): string {
  return significant(median(samples) / 1000);
}

/** Between which values the middle half of the rounds lies, as a share of the median. */
export function spread({ samples }: { readonly samples: readonly number[] }): string {
  const half = (quantile(samples, 0.75) - quantile(samples, 0.25)) / 2;
  return `± ${((half / median(samples)) * 100).toFixed(0)} %`;
}

export function times(value: number): string {
  return `${value.toFixed(2)} ×`;
}

/** Three significant digits, and no exponent. */
export function significant(value: number): string {
  return String(Number(value.toPrecision(3)));
}
