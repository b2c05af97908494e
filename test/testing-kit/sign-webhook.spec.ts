import { createHmac } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { ScalekitWebhooksConfigurationError } from '../../lib/errors/errors.js';
import { signWebhook } from '../../lib/verify/signature.js';
import { parseSigningSecret } from '../../lib/verify/signing-secret.js';

// The example from the tests of the Standard Webhooks libraries.
const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const example = {
  payload: '{"test": 2432232314}',
  secret,
  id: 'msg_p5jXN8AQM9LWM0D4loKWxJek',
  timestamp: 1614265330,
};

describe('signWebhook', () => {
  it('signs as Standard Webhooks does', () => {
    expect(signWebhook(example)).toEqual({
      'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
      'webhook-timestamp': '1614265330',
      'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
    });
  });

  it('signs with the whole secret as text in the scalekit scheme', () => {
    const hex = createHmac('sha256', secret).update(`1614265330.${example.payload}`).digest('hex');
    expect(signWebhook({ ...example, scheme: 'scalekit' })).toEqual({
      'scalekit-signature': `t=1614265330,v1=${hex}`,
    });
  });

  it('accepts a Date as the timestamp, and bytes as the payload', () => {
    const timestamp = new Date(1614265330_999);
    expect(signWebhook({ ...example, timestamp })).toEqual(signWebhook(example));
    expect(signWebhook({ ...example, payload: Buffer.from(example.payload) })).toEqual(signWebhook(example));
  });

  it('accepts a parsed secret', () => {
    expect(signWebhook({ ...example, secret: parseSigningSecret(secret) })).toEqual(signWebhook(example));
  });

  it('uses the current time and a new message id by default', () => {
    const [one, two] = [1, 2].map(() => signWebhook({ payload: '{}', secret }));
    expect(one?.['webhook-id']).toMatch(/^msg_[0-9a-f]{32}$/);
    expect(two?.['webhook-id']).not.toBe(one?.['webhook-id']);
    expect(Math.abs(Number(one?.['webhook-timestamp']) - Date.now() / 1000)).toBeLessThan(5);
  });

  it('refuses a malformed secret', () => {
    expect(() => signWebhook({ payload: '', secret: 'whsec_' })).toThrow(ScalekitWebhooksConfigurationError);
  });
});
