/** What the application under the storm keeps its ledger in, and how it starts its handlers. */
export const STORM_MODES = ['postgres', 'sqlite', 'redis', 'bullmq-postgres', 'bullmq-redis'] as const;
export type StormMode = (typeof STORM_MODES)[number];

/** What each process of the application is told. */
export interface AppSettings {
  readonly mode: StormMode;
  readonly seed: number;
  /** Each process appends to a file of its own here. */
  readonly journalDirectory: string;
  readonly sqliteFile: string;
  readonly postgresUrl: string;
  readonly redisPort: number;
}

/** What the parent sends a warm process: take this port. */
export interface ListenCommand {
  readonly port: number;
}

/** What a process tells its parent. */
export type AppReport = 'warm' | 'listening';

export const SECRET = `whsec_${Buffer.alloc(32, 9).toString('base64')}`;
export const SETTINGS_VARIABLE = 'STORM_APP';
/** The ids of the handlers. */
export const PLAIN = 'Plain.handle';
export const TRANSACTIONAL = 'Transactional.handle';
/** Short, so that a run that was cut short is soon taken over: its lease is twice as long. */
export const HANDLER_TIMEOUT_MS = 1500;
/** One run in so many fails. */
export const FAILURE_RATE = 5;

export function usesPostgres(mode: StormMode): boolean {
  return mode === 'postgres' || mode === 'bullmq-postgres';
}

export function usesRedis(mode: StormMode): boolean {
  return mode === 'redis' || usesQueue(mode);
}

export function usesQueue(mode: StormMode): boolean {
  return mode === 'bullmq-postgres' || mode === 'bullmq-redis';
}
