import type { InboxEntry } from '../inbox/inbox-entry.js';
import { CLI_MESSAGES } from './cli.messages.js';
import { onOneLine } from './printable.js';

/** An entry on one line. */
export function entryLine({ receivedAt, endpoint, eventId, type, handlers }: InboxEntry): string {
  const states = handlers.map(({ handlerId, state }) => `${handlerId} ${state}`).join(', ');
  return [receivedAt.toISOString(), endpoint, eventId, type, states].map(onOneLine).join('  ').trimEnd();
}

/** An entry with all that is known of its handlers. */
export function entryLines({ receivedAt, occurredAt, handlers, ...entry }: InboxEntry): string[] {
  return [
    CLI_MESSAGES.entryField('Event', entry.eventId),
    CLI_MESSAGES.entryField('Type', entry.type),
    CLI_MESSAGES.entryField('Endpoint', entry.endpoint),
    CLI_MESSAGES.entryField('Occurred', occurredAt),
    CLI_MESSAGES.entryField('Received', receivedAt.toISOString()),
    ...handlers.flatMap(({ handlerId, state, attempts, updatedAt, error }) => [
      CLI_MESSAGES.entryField('Handler', handlerId),
      CLI_MESSAGES.handlerState(state, attempts, updatedAt.toISOString()),
      ...(error ? [CLI_MESSAGES.handlerError(error.name, error.message)] : []),
    ]),
  ].map((line) => line.replaceAll(/[\p{C}\s]/gu, ' '));
}
