import type { ScalekitEvent } from '../events/scalekit-event.types.js';
import type { HandlerRetries } from './event-transport.js';
import type { ReceivedEvent } from './received-event.js';
import type { ScalekitDelivery } from './scalekit-delivery.js';

/** What request-scoped providers of one event's handlers get when they inject `REQUEST`. */
export class ScalekitEventContext {
  readonly event: ScalekitEvent<'*'>;
  readonly endpoint: string;
  readonly headers: ScalekitDelivery['headers'];

  constructor({ event, headers }: ReceivedEvent, endpoint: string) {
    this.event = event;
    this.endpoint = endpoint;
    this.headers = headers;
  }
}

/** A handler ready to be run: what a decorated method became. */
export interface EventHandler extends HandlerRetries {
  readonly id: string;
  readonly patterns: readonly string[];
  /** Undefined: every endpoint. */
  readonly endpoints?: readonly string[];
  /** In ms; undefined: the module's `handlerTimeout`. */
  readonly timeout?: number;
  /** Undefined: every event that matches the patterns. */
  accepts?(type: string): boolean;
  /** Runs it with its guards, interceptors, pipes and filters. All handlers of one event get the same context. */
  run(event: ScalekitEvent<'*'>, delivery: ScalekitDelivery, context: ScalekitEventContext): Promise<unknown>;
}
