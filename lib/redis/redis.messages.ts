import { describeValue } from '../errors/settings.js';

/** Error texts: what happened, then what to do. None contains a secret or a payload. */
export const MESSAGES = {
  redisFailed: (reason: string) => `The inbox could not use Redis: ${reason}`,
  notRedisClient: (missing: string) => `client must be an ioredis client; it has no ${missing}() method.`,
  keyPrefixInvalid: (found: unknown) =>
    `keyPrefix takes 1 or more characters, but not "{" or "}"; found ${describeValue(found)}.`,
  cursorInvalid: (found: unknown) =>
    `cursor must be the nextCursor of an earlier page; found ${describeValue(found)}.`,
} as const;
