import type { InboxEvent, InboxStore, RunSettlement } from 'nestjs-scalekit-webhooks';
import { createScalekitEvent } from 'nestjs-scalekit-webhooks/testing';

/** A display name that only payloads contain. */
export const PAYLOAD_MARKER = 'payload-marker';

/** Records an event with one run, of `Users.sync`, that ended in this way or is still running. Returns the event's id. */
export async function recordEvent(
  store: InboxStore,
  end: Omit<RunSettlement, 'handlerId'> | undefined,
  { endpoint = 'default', id, ...about }: Partial<InboxEvent> & { id?: string } = {},
): Promise<string> {
  const event = createScalekitEvent('organization.created', {
    ...(id !== undefined && { id }),
    data: { display_name: PAYLOAD_MARKER },
  });
  const lease = { token: event.id, durationMs: 60_000 };
  const { id: eventId, type, occurred_at: occurredAt } = event;
  const payload = Buffer.from(JSON.stringify(event));
  await store.claim({ endpoint, eventId, type, occurredAt, payload, ...about }, ['Users.sync'], lease);
  if (end) await store.settle({ endpoint, eventId }, [{ handlerId: 'Users.sync', ...end }], lease);
  return eventId;
}
