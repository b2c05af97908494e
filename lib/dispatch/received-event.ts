import { randomUUID } from 'node:crypto';
import type { EventIssue } from '../errors/errors.js';
import type { ScalekitEvent } from '../events/scalekit-event.types.js';
import type { ParsedEvent } from '../parse/parse-event.js';
import type { ScalekitDelivery } from './scalekit-delivery.js';

/** How an event arrived. By default, it arrives now, without headers, under a new delivery id. */
export interface Arrival {
  readonly deliveryId?: string;
  readonly receivedAt?: Date;
  readonly rawBody: Buffer;
  readonly headers?: ScalekitDelivery['headers'];
}

/** A parsed event and how it arrived: what all its handlers share. */
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
}
