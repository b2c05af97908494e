/** How a delivery ended. Each has one row in the outcome table (`outcome.table.ts`). */
export type Outcome =
  | 'processed'
  | 'accepted'
  | 'duplicate'
  | 'ignored'
  | 'invalid_event'
  | 'unauthenticated'
  | 'wrong_environment'
  | 'body_too_large'
  | 'unsupported_media_type'
  | 'unprocessable'
  | 'failed'
  | 'unavailable'
  | 'misconfigured';
