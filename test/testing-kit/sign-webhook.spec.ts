import { createHmac } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { ScalekitWebhooksConfigurationError } from '../../lib/errors/errors.js';
import { signWebhook } from '../../lib/verify/sign-webhook.js';
import { parseSigningSecret } from '../../lib/verify/signing-secret.js';

// The example of the Standard Webhooks libraries' own tests, which pins the format from outside.
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

  it('signs with the secret as text under the scalekit scheme', () => {
    const hex = createHmac('sha256', secret).update(`1614265330.${example.payload}`).digest('hex');
    expect(signWebhook({ ...example, scheme: 'scalekit' })).toEqual({
      'scalekit-signature': `t=1614265330,v1=${hex}`,
    });
  });

  it('takes the timestamp as a Date, and bytes as the payload', () => {
    const timestamp = new Date(1614265330_999);
    expect(signWebhook({ ...example, timestamp })).toEqual(signWebhook(example));
    expect(signWebhook({ ...example, payload: Buffer.from(example.payload) })).toEqual(signWebhook(example));
  });

  it('takes a secret that was parsed before', () => {
    expect(signWebhook({ ...example, secret: parseSigningSecret(secret) })).toEqual(signWebhook(example));
  });

  it('signs for now, with a new message id each time, unless told otherwise', () => {
    const [one, two] = [1, 2].map(() => signWebhook({ payload: '{}', secret }));
    expect(one?.['webhook-id']).toMatch(/^msg_[0-9a-f]{32}$/);
    expect(two?.['webhook-id']).not.toBe(one?.['webhook-id']);
    expect(Math.abs(Number(one?.['webhook-timestamp']) - Date.now() / 1000)).toBeLessThan(5);
  });

  it('refuses a secret that cannot be read', () => {
    expect(() => signWebhook({ payload: '', secret: 'whsec_' })).toThrow(ScalekitWebhooksConfigurationError);
  });
});
