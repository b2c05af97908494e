import { randomUUID } from 'node:crypto';
import type { EventIssue } from '../errors/errors.js';
import type { ScalekitEvent } from '../events/scalekit-event.types.js';
import type { InboxEvent } from '../inbox/inbox-store.js';
import type { ParsedEvent } from '../parse/parse-event.js';
import type { ScalekitDelivery } from './scalekit-delivery.js';

/** How an event arrived; by default now, without headers, as a delivery of its own. */
export interface Arrival {
  readonly deliveryId?: string;
  readonly receivedAt?: Date;
  readonly rawBody: Buffer;
  readonly headers?: ScalekitDelivery['headers'];
}

/**
 * A parsed event and how it arrived: what all its handlers share. A class, as all that is held while handlers run: V8 would
 * soon keep literals that live as long, and what they hold, until its next full collection.
 */
export class ReceivedEvent {
  readonly event: ScalekitEvent<'*'>;
  readonly issues: readonly EventIssue[];
  readonly deliveryId: string;
  readonly receivedAt: Date;
  readonly rawBody: Buffer;
  readonly headers: ScalekitDelivery['headers'];

  constructor(
    { event, issues }: ParsedEvent,
    { deliveryId = randomUUID(), receivedAt = new Date(), rawBody, headers = {} }: Arrival,
  ) {
    this.event = event;
    this.issues = issues;
    this.deliveryId = deliveryId;
    this.receivedAt = receivedAt;
    this.rawBody = rawBody;
    this.headers = headers;
  }

  /** What an endpoint's inbox records of it. */
  forInbox(endpoint: string): InboxEvent {
    const { id: eventId, type, occurred_at: occurredAt } = this.event;
    return { endpoint, eventId, type, occurredAt, payload: this.rawBody };
  }
}
