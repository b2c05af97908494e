import type { InboxStore } from '../inbox/inbox-store.js';

/** A store that the tool has opened, and how to let it go. */
export interface OpenedInbox {
  readonly store: InboxStore;
  close(): Promise<void>;
}

/** What an inbox is opened with. */
export interface InboxLocation {
  readonly url: string;
  /** Postgres: the schema of the tables. */
  readonly schema?: string;
  /** Redis: what the keys begin with; SQLite: what the tables begin with. */
  readonly prefix?: string;
}

/** Calls a method that a driver's object should have. */
export async function callMethod(driver: unknown, name: string, ...args: unknown[]): Promise<unknown> {
  if (typeof driver !== 'object' || driver === null) return undefined;
  const method: unknown = Reflect.get(driver, name);
  return typeof method === 'function' ? await method.apply(driver, args) : undefined;
}
