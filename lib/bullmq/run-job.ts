import type { HandlerBatch, QueuedRun } from '../dispatch/event-transport.js';

/** What a job carries: the event as it was received, and the way back to its row in the inbox. */
export interface RunJobData {
  readonly endpoint: string;
  readonly eventId: string;
  readonly handlerId: string;
  /** The body's text; what was accepted is UTF-8, so its bytes can be made again. */
  readonly body: string;
  readonly deliveryId: string;
  /** ISO 8601. */
  readonly receivedAt: string;
  readonly leaseToken: string;
}

/** The job of one handler of a batch. */
export function toJobData(batch: HandlerBatch, handlerId: string): RunJobData {
  const { endpoint, event, rawBody, deliveryId, receivedAt, leaseToken } = batch;
  return {
    endpoint,
    eventId: event.id,
    handlerId,
    body: rawBody.toString('utf8'),
    deliveryId,
    receivedAt: receivedAt.toISOString(),
    leaseToken,
  };
}

/** The run of a job. */
export function toQueuedRun({ body, receivedAt, handlerId, deliveryId, leaseToken }: RunJobData): QueuedRun {
  return {
    handlerId,
    deliveryId,
    leaseToken,
    rawBody: Buffer.from(body, 'utf8'),
    receivedAt: new Date(receivedAt),
  };
}
