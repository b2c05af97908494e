/** A retry schedule of Scalekit by its name, or waits of your own before each attempt, in ms. */
export type DeliverySchedule = 'guide' | 'extended' | readonly number[];

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** The waits before each attempt of Scalekit's two published schedules, in ms. */
export const SCALEKIT_SCHEDULES = {
  /** 6 attempts within 23 minutes. */
  guide: [0, 5 * SECOND, 30 * SECOND, 2 * MINUTE, 5 * MINUTE, 15 * MINUTE],
  /**
   * 8 attempts within 28 hours. Scalekit publishes no more than that: the waits are those that Svix publishes, which
   * have this number and this sum.
   */
  extended: [0, 5 * SECOND, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 10 * HOUR],
} as const satisfies Record<string, readonly number[]>;

/** The waits of a schedule on a compressed clock, in ms. */
export function waitsOf(schedule: DeliverySchedule, timeScale: number): readonly number[] {
  const waits: readonly number[] = typeof schedule === 'string' ? SCALEKIT_SCHEDULES[schedule] : schedule;
  return waits.map((wait) => wait / timeScale);
}
