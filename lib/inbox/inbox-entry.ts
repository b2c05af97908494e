/** An event is known to the inbox by the endpoint that received it and the event's own id. */
export interface InboxKey {
  readonly endpoint: string;
  readonly eventId: string;
}

/** What an inbox keeps of an event. */
export interface InboxEvent extends InboxKey {
  readonly type: string;
  readonly occurredAt: string;
  /** The exact bytes that were received. A store that cannot replay may drop them. */
  readonly payload: Uint8Array;
}

/** A failed run as the inbox remembers it: never a payload. */
export interface HandlerError {
  readonly name: string;
  readonly message: string;
}

/** The state of one handler's row: `dead` is a dead letter, `queued` waits in a transport's queue. */
export type HandlerRowState = 'running' | 'queued' | 'done' | 'failed' | 'dead';

/** One handler's row of an inbox entry. */
export interface HandlerRow {
  readonly handlerId: string;
  readonly state: HandlerRowState;
  /** How often the handler has been started for this event. */
  readonly attempts: number;
  readonly updatedAt: Date;
  readonly error?: HandlerError;
}

/** An event with the rows of its handlers, as people read it. */
export interface InboxEntry extends InboxKey {
  readonly type: string;
  readonly occurredAt: string;
  readonly receivedAt: Date;
  readonly handlers: readonly HandlerRow[];
}
