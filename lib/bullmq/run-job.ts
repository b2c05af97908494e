import type { BackoffOptions } from 'bullmq';
import type { HandlerBatch, HandlerRetries, QueuedRun } from '../dispatch/event-transport.js';

/** What a job holds: the event as it was received, and the key of its run in the inbox. */
export interface RunJobData {
  readonly endpoint: string;
  readonly eventId: string;
  readonly handlerId: string;
  /** The body as text. Accepted bodies are UTF-8, so the text yields the same bytes. */
  readonly body: string;
  readonly deliveryId: string;
  /** ISO 8601. */
  readonly receivedAt: string;
  readonly headers?: HandlerBatch['headers'];
  readonly leaseToken: string;
  /** Since when no process could run it, ISO 8601. */
  readonly unrunnableSince?: string | undefined;
}

export function toJobData(batch: HandlerBatch, handlerId: string): RunJobData {
  const { endpoint, event, rawBody, deliveryId, receivedAt, headers, leaseToken } = batch;
  return {
    endpoint,
    eventId: event.id,
    handlerId,
    body: rawBody.toString('utf8'),
    deliveryId,
    receivedAt: receivedAt.toISOString(),
    headers,
    leaseToken,
  };
}

export function toQueuedRun({ body, receivedAt, headers = {}, ...run }: RunJobData): QueuedRun {
  const { handlerId, deliveryId, leaseToken } = run;
  return {
    headers,
    handlerId,
    deliveryId,
    leaseToken,
    rawBody: Buffer.from(body, 'utf8'),
    receivedAt: new Date(receivedAt),
  };
}

export function toBullMqBackoff(backoff: NonNullable<HandlerRetries['backoff']>): number | BackoffOptions {
  return typeof backoff === 'number' ? backoff : { type: backoff.type, delay: backoff.delayMs };
}
