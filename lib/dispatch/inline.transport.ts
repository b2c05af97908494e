import type { HandlerSettlement } from '../inbox/inbox-store.js';
import type { EventTransport, HandlerBatch } from './event-transport.js';
import { isFinalFailure, toHandlerError } from './handler-failure.js';

/** Runs all handlers of an event side by side, within the request. */
export class InlineTransport implements EventTransport {
  start({ runs }: HandlerBatch): readonly Promise<HandlerSettlement>[] {
    return runs.map(async ({ handlerId, execute }): Promise<HandlerSettlement> => {
      try {
        await execute();
        return { handlerId, state: 'done' };
      } catch (thrown) {
        const state = isFinalFailure(thrown) ? 'dead' : 'failed';
        return { handlerId, state, error: toHandlerError(thrown) };
      }
    });
  }
}
