import {
  describeValue,
  integerUpTo,
  type OptionChecks,
  oneOf,
  optional,
  refuseSetting,
  requireText,
} from '../errors/settings.js';
import { type InboxFilter, type InboxPageRequest, RUN_STATES } from './inbox-store.js';

/** How many entries a page holds at most. */
const LARGEST_PAGE = 1000;

/** The checks of a filter within one endpoint. */
export const FILTER_CHECKS: OptionChecks<Omit<InboxFilter, 'endpoint'>> = {
  type: optional(requireText),
  state: optional(oneOf(RUN_STATES)),
};

/** The checks of a page request. Each store checks the cursor further: only it knows what its cursors look like. */
export const PAGE_CHECKS: OptionChecks<InboxPageRequest> = {
  limit: optional(integerUpTo(LARGEST_PAGE)),
  cursor: optional(requireText),
};

/**
 * Reads a cursor that is a position in the order of entries.
 *
 * @throws ScalekitWebhooksConfigurationError when the cursor is not the `nextCursor` of an earlier page
 */
export function positionOf(cursor: string): number {
  if (/^\d{1,15}$/.test(cursor)) return Number(cursor);
  return refuseSetting(
    'cursor',
    `cursor must be the nextCursor of an earlier page; found ${describeValue(cursor)}.`,
  );
}
