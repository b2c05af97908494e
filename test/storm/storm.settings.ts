/** Where the application keeps its inbox, and how its handlers run: in the request, from the inbox, or from a queue. */
export const STORM_MODES = [
  'postgres',
  'sqlite',
  'redis',
  'inbox-postgres',
  'inbox-sqlite',
  'bullmq-postgres',
  'bullmq-redis',
] as const;
export type StormMode = (typeof STORM_MODES)[number];

/** The settings of each process of the application. */
export interface AppSettings {
  readonly mode: StormMode;
  readonly seed: number;
  /** Where each process writes a file of its own. */
  readonly journalDirectory: string;
  readonly sqliteFile: string;
  readonly postgresUrl: string;
  readonly redisPort: number;
}

/** Tells a process to listen. */
export interface ListenCommand {
  readonly port: number;
}

/** What a process reports. */
export type AppReport = 'warm' | 'listening';

export const SETTINGS_VARIABLE = 'STORM_APP';
/** The ids of the handlers. */
export const PLAIN = 'Plain.handle';
export const TRANSACTIONAL = 'Transactional.handle';
/** Short, so that a run that was cut short is soon claimed again: its lease is twice as long. */
export const HANDLER_TIMEOUT_MS = 1500;
/** One attempt in this many fails. */
export const FAILURE_RATE = 5;

export function usesPostgres(mode: StormMode): boolean {
  return mode.endsWith('postgres');
}

export function usesRedis(mode: StormMode): boolean {
  return mode === 'redis' || usesQueue(mode);
}

export function usesQueue(mode: StormMode): boolean {
  return mode === 'bullmq-postgres' || mode === 'bullmq-redis';
}

export function usesSqlite(mode: StormMode): boolean {
  return mode.endsWith('sqlite');
}

export function worksFromInbox(mode: StormMode): boolean {
  return mode.startsWith('inbox-');
}
