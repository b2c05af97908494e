import type { Server } from 'node:http';
import type { ScalekitEventType } from '../../../lib/index.js';

/** This library, and what you would use without it. */
export const RECEIVER_NAMES = [
  'guide, Express',
  'by hand, Nest on Express',
  'by hand, Fastify',
  '@octokit/webhooks, Node',
  'nothing verified, Nest on Express',
  'nothing verified, Nest on Fastify',
  'ours, Nest on Express',
  'ours, Nest on Fastify',
  'ours, Fastify, OpenTelemetry',
] as const;

/** Receivers that record events in a database: written by hand, and this library. All are on Fastify. */
export const DURABLE_RECEIVER_NAMES = [
  'by hand, Postgres',
  'by hand, Postgres, prepared',
  'ours, Postgres',
  'ours, Postgres, InboxTransport',
  'ours, SQLite',
  'ours, Redis',
  'ours, Redis, BullMQ',
] as const;

export type DurableReceiverName = (typeof DURABLE_RECEIVER_NAMES)[number];

export type ReceiverName = (typeof RECEIVER_NAMES)[number] | DurableReceiverName;

export function isReceiverName(name: string | undefined): name is ReceiverName {
  return [...RECEIVER_NAMES, ...DURABLE_RECEIVER_NAMES].some((known) => known === name);
}

/** Receivers that only acknowledge events. A worker would handle them. */
export const ACKNOWLEDGING: readonly ReceiverName[] = [
  'ours, Postgres, InboxTransport',
  'ours, Redis, BullMQ',
];

/**
 * Starts to listen on a free port of 127.0.0.1.
 *
 * @param library which build of this library to import; the other receivers ignore it
 */
export type Receiver = (library: string) => Promise<Server>;

/** Where every receiver takes deliveries. */
export const PATH = '/webhooks/scalekit';

export const SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;

/** The event that most figures are about: a directory user with groups, roles and attributes. */
export const TYPICAL_TYPE = 'organization.directory.user_created' satisfies ScalekitEventType;

let handled = 0;
let noteHandled = () => {};

/** What every receiver does with an event. */
export async function handleEvent(_event: object): Promise<void> {
  handled += 1;
  noteHandled();
}

/** Calls a function whenever this process has handled an event. */
export function onHandled(note: () => void): void {
  noteHandled = note;
}

/** How many events this process has handled. */
export function handledEvents(): number {
  return handled;
}
