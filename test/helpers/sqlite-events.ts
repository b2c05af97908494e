import { randomUUID } from 'node:crypto';
import type { InboxEvent, InboxLease } from '../../lib/inbox/inbox-store.js';

export const LEASE_MS = 10_000;

export function anEvent(eventId = `evt_${randomUUID()}`): InboxEvent {
  return {
    endpoint: 'default',
    eventId,
    type: 'user.created',
    occurredAt: '2026-01-02T03:04:05.678901Z',
    payload: Buffer.from('{"id":"evt"}'),
  };
}

export function aLease(token: string = randomUUID()): InboxLease {
  return { token, durationMs: LEASE_MS };
}

/** The numbered events that several processes agree on. */
export function numberedEvents(count: number): InboxEvent[] {
  return Array.from({ length: count }, (_, number) => anEvent(`evt_${number}`));
}
