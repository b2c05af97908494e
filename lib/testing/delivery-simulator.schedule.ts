/** A retry schedule of Scalekit by its name, or waits of your own before each attempt, in ms. */
export type DeliverySchedule = 'guide' | 'extended' | readonly number[];

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** The waits before each attempt of Scalekit's two published schedules, in ms. */
export const SCALEKIT_SCHEDULES = {
  /** 6 attempts within 22 minutes. */
  guide: [0, 5 * SECOND, 30 * SECOND, 2 * MINUTE, 5 * MINUTE, 15 * MINUTE],
  // Only "8 attempts over about 28 hours" is published; these waits are the ones Standard Webhooks recommends.
  extended: [0, 5 * SECOND, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 10 * HOUR],
} as const satisfies Record<string, readonly number[]>;

/** The waits of a schedule on a compressed clock, in ms. */
export function waitsOf(schedule: DeliverySchedule, timeScale: number): readonly number[] {
  const waits: readonly number[] = typeof schedule === 'string' ? SCALEKIT_SCHEDULES[schedule] : schedule;
  return waits.map((wait) => wait / timeScale);
}
