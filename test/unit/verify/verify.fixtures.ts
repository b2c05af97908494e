import { WebhookVerificationError } from '../../../lib/errors/errors.js';

/** Keys made up for these tests. */
export const KEY = Buffer.from('0123456789abcdef0123456789abcdef');
export const SECRET = `whsec_${KEY.toString('base64')}`;
export const OTHER_SECRET = `whsec_${Buffer.from('another key of 32 bytes, for test').toString('base64')}`;
export const NOW_SECONDS = 1_764_000_000;
export const NOW = new Date(NOW_SECONDS * 1000);
export const PAYLOAD = '{"id":"evt_1","type":"user.created"}';
export const ID = 'msg_1';

/** The error that `run` throws. */
export function failureOf(run: () => unknown): WebhookVerificationError {
  try {
    run();
  } catch (error) {
    if (error instanceof WebhookVerificationError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

export function codeOf(run: () => unknown): string {
  return failureOf(run).code;
}
