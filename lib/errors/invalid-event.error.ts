import type { EventIssue } from '../parse/event-issue.js';
import { ScalekitWebhooksError } from './scalekit-webhooks.error.js';

/**
 * Why a payload cannot become an event:
 *
 * - `not_json`: the bytes are not UTF-8, or the text is not JSON
 * - `not_an_event`: JSON, but without the envelope that every event has
 * - `invalid_data`: an event whose fields a handler could not make sense of
 */
export type InvalidEventErrorCode = 'not_json' | 'not_an_event' | 'invalid_data';

/** A payload that is not a valid event. `issues` name fields and rules, never values. */
export class InvalidEventError extends ScalekitWebhooksError {
  constructor(
    override readonly code: InvalidEventErrorCode,
    message: string,
    readonly issues: readonly EventIssue[] = [],
  ) {
    super(message);
  }
}
