import type { ScalekitEventType } from 'nestjs-scalekit-webhooks';

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

/** The size of a storm. */
export interface StormOptions {
  readonly events: number;
  readonly seed: number;
  /** The processes that listen. */
  readonly processes: number;
  /** The processes that work on the inbox without HTTP, in the modes in which the listening ones do not. */
  readonly workers: number;
  readonly killEveryMs: number;
  readonly endConnectionsEveryMs: number;
  readonly restarts: number;
  /** The storm ends after this time, even if deliveries are open. */
  readonly limitMs: number;
}

/** The settings of each process of the application. */
export interface AppSettings {
  readonly mode: StormMode;
  readonly seed: number;
  /** Where each process writes a file of its own. */
  readonly journalDirectory: string;
  /** Has a file for each user whose `user.created` was handled. */
  readonly usersDirectory: string;
  readonly sqliteFile: string;
  readonly postgresUrl: string;
  readonly redisPort: number;
}

/** Tells a process to listen on a port, or, without one, to work on the inbox. */
export interface StartCommand {
  readonly port?: number;
}

/** What a process reports. */
export type AppReport = 'warm' | 'started';

export const SETTINGS_VARIABLE = 'STORM_APP';
/** The ids of the handlers. */
export const PLAIN = 'Plain.handle';
export const TRANSACTIONAL = 'Transactional.handle';
export const SWALLOWING = 'Swallowing.handle';
export const CREATING = 'Users.create';
export const UPDATING = 'Users.update';
export const REFUSING = 'Refusing.handle';
export const ORDERED = 'Ordered.handle';

/** The types of the events, each as often as the others. */
export const EVENT_TYPES = [
  'user.created',
  'organization.created',
  'organization.directory_enabled',
  'role.created',
  'user.updated',
  'organization.updated',
  'organization.deleted',
  'role.updated',
] as const satisfies readonly ScalekitEventType[];
/** The handler of these types swallows errors. */
export const SWALLOWED_TYPES = ['role.created', 'role.updated'] as const;
/** The handler of this type refuses each event for good, so that its runs are dead. */
export const REFUSED_TYPE = 'organization.deleted' satisfies (typeof EVENT_TYPES)[number];
/** Each organization and role has this many times the events of a user, so that many wait for each other. */
export const EVENTS_OF_A_LINE = 4;

/** Identifies a run. */
export function runKey(handlerId: string, eventId: string): string {
  return `${handlerId} ${eventId}`;
}

/** Short, so that a run that was cut short is soon claimed again: its lease is twice as long. */
export const HANDLER_TIMEOUT_MS = 1500;
/** One attempt in this many fails. */
export const FAILURE_RATE = 5;
/** In a database with transactions, one attempt in this many of a handler swallows the error that aborted its transaction. */
export const SWALLOW_RATE = 3;
/** The inbox's database fails one settlement in this many: one commit of SQLite, one script of Redis. */
export const FAULT_RATE = 8;
/** The connections of the application have this name in Postgres. */
export const APPLICATION_NAME = 'storm';

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

/** Whether workers take the runs from the inbox, so that handlers can keep an order. */
export function worksFromInbox(mode: StormMode): boolean {
  return mode.startsWith('inbox-');
}
