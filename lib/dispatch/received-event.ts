import { randomUUID } from 'node:crypto';
import type { ScalekitEvent } from '../events/scalekit-event.types.js';
import type { EventIssue } from '../parse/event-issue.js';
import type { ParsedEvent } from '../parse/parse-event.js';
import type { Outcome } from '../respond/outcome.js';
import type { HandlerReport } from './handler-report.js';
import type { ScalekitDelivery } from './scalekit-delivery.js';

/** How an event arrived; by default now, without headers, as a delivery of its own. */
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

/** What became of an event. */
export interface DispatchResult {
  readonly outcome: Extract<
    Outcome,
    'processed' | 'accepted' | 'duplicate' | 'ignored' | 'unprocessable' | 'failed' | 'unavailable'
  >;
  readonly handlers: readonly HandlerReport[];
  /** Where a retry should wait for a run elsewhere, in seconds. */
  readonly retryAfterSeconds?: number;
}
