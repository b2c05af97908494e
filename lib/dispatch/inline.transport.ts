import type { RunSettlement } from '../inbox/inbox-store.js';
import type { EventTransport, HandlerBatch } from './event-transport.js';

/** The default transport: runs all handlers of an event side by side, within the request. */
export class InlineTransport implements EventTransport {
  start({ runs }: HandlerBatch): readonly Promise<RunSettlement>[] {
    return runs.map((run) => run.execute());
  }
}
