import { createHash } from 'node:crypto';

/** 18 decimal digits, the same for the same words. */
export function digitsFor(...words: readonly string[]): string {
  const digest = createHash('sha256').update(JSON.stringify(words)).digest();
  return String(digest.readBigUInt64BE() % 10n ** 18n).padStart(18, '0');
}

/** A copy of a sample in which each `#` is a number made from the seed, and each `@…` a time. */
export function fillSample(sample: object, seed: string, occurredAt: Date): object {
  return Object.fromEntries(
    Object.entries(sample).map(([name, value]) => [name, fillValue(value, seed, occurredAt)]),
  );
}

function fillValue(value: unknown, seed: string, occurredAt: Date): unknown {
  if (typeof value === 'string') return fillText(value, seed, occurredAt);
  if (Array.isArray(value)) return value.map((item) => fillValue(item, seed, occurredAt));
  return typeof value === 'object' && value !== null ? fillSample(value, seed, occurredAt) : value;
}

function fillText(text: string, seed: string, occurredAt: Date): string {
  if (text.startsWith('@'))
    return new Date(occurredAt.getTime() + Number(text.slice(1)) * 1000).toISOString();
  return text.replace('#', () => digitsFor(seed, text));
}
