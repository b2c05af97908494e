import type { InboxStore } from '../inbox/inbox-store.js';
import type { ValidationMode } from '../parse/parse-event.js';
import type { OutcomeStatusCodes } from '../respond/outcome.js';
import type { EventTransport } from './event-transport.js';
import type { RetryablePredicate } from './handler-failure.js';
import type { ScalekitWebhooksObserver } from './observers.js';

/** Injection token of an endpoint's options, with every default filled in. */
export const RESOLVED_OPTIONS = Symbol.for('nestjs-scalekit-webhooks:options');

/** What dispatching needs to know of an endpoint. */
export interface DispatchOptions {
  readonly name: string;
  readonly inbox: InboxStore;
  readonly transport: EventTransport;
  readonly handlerTimeoutMs: number;
  readonly validation: ValidationMode;
  readonly eventEmitter: boolean;
  readonly retryable?: RetryablePredicate;
  readonly statusCodes: OutcomeStatusCodes;
  readonly observers: readonly ScalekitWebhooksObserver[];
}
