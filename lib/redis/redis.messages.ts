import { describeValue } from '../errors/settings.js';

/** Texts for people: what happened, then what to do. None holds a secret or a payload. */
export const MESSAGES = {
  redisFailed: (reason: string) => `The inbox could not use Redis: ${reason}`,
  redisCursorInvalid: (found: unknown) =>
    `cursor takes the nextCursor of a page that was read from Redis; found ${describeValue(found)}.`,
  redisKeyPrefixInvalid: (found: unknown) =>
    `keyPrefix takes 1 or more characters without "{" and "}"; found ${describeValue(found)}.`,
} as const;
