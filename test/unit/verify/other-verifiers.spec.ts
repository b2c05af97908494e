import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import fc from 'fast-check';
import { Webhook } from 'standardwebhooks';
import { signWebhook } from '../../../lib/verify/signature.js';
import { verifyWebhookSignature } from '../../../lib/verify/verify-signature.js';
import { Scalekit } from '../../helpers/scalekit-sdk.js';
import { NOW, NOW_SECONDS } from './verify.fixtures.js';

/** Where other verifiers are right, ours agrees with them. */

const scalekitSdk = new Scalekit('https://example.scalekit.dev', 'skc_1', 'none');

interface Delivery {
  readonly secret: string;
  readonly headers: Record<string, string>;
  readonly payload: string;
}

const accepts = {
  ours: ({ secret, headers, payload }: Delivery) => {
    verifyWebhookSignature({ secrets: secret, headers, payload });
  },
  standardwebhooks: ({ secret, headers, payload }: Delivery) => {
    new Webhook(secret).verify(payload, headers, { jsonParse: false });
  },
  scalekit: ({ secret, headers, payload }: Delivery) => {
    scalekitSdk.verifyWebhookPayload(secret, headers, payload);
  },
};

function verdicts(delivery: Delivery): boolean[] {
  return Object.values(accepts).map((verify) => {
    try {
      verify(delivery);
      return true;
    } catch {
      return false;
    }
  });
}

const secrets = fc
  .uint8Array({ minLength: 24, maxLength: 64 })
  .map((key) => `whsec_${Buffer.from(key).toString('base64')}`);
const ids = fc.string({ minLength: 1, maxLength: 40 }).filter((id) => !id.includes('.'));
const payloads = fc.oneof(fc.json(), fc.string({ unit: 'grapheme' }));
const offsets = fc.oneof(fc.constantFrom(-301, -300, 0, 300, 301), fc.integer({ min: -1000, max: 1000 }));
const message = fc.record({ secret: secrets, id: ids, payload: payloads, offset: offsets });

const isRecent = (offset: number) => Math.abs(offset) <= 300;

describe('verifyWebhookSignature, standardwebhooks and the Scalekit SDK', () => {
  beforeAll(() => {
    jest.spyOn(Date, 'now').mockReturnValue(NOW.getTime() + 700);
  });
  afterAll(() => {
    jest.restoreAllMocks();
  });

  it('sign and accept the same messages, as long as they are recent', () => {
    fc.assert(
      fc.property(message, ({ secret, id, payload, offset }) => {
        const timestamp = NOW_SECONDS + offset;
        const headers = signWebhook({ payload, secret, id, timestamp });
        const theirs = new Webhook(secret).sign(id, new Date(timestamp * 1000), payload);
        expect(headers['webhook-signature']).toBe(theirs);
        expect(verdicts({ secret, headers, payload })).toEqual(Array(3).fill(isRecent(offset)));
      }),
    );
  });

  it('refuse another secret', () => {
    fc.assert(
      fc.property(message, secrets, ({ secret, id, payload }, other) => {
        fc.pre(secret !== other);
        const headers = signWebhook({ payload, secret, id, timestamp: NOW_SECONDS });
        expect(verdicts({ secret: other, headers, payload })).toEqual([false, false, false]);
      }),
    );
  });

  it('refuse another id, timestamp or payload', () => {
    fc.assert(
      fc.property(message, message, (one, other) => {
        fc.pre(one.id !== other.id && one.payload !== other.payload && one.offset !== other.offset);
        const { secret, payload } = one;
        const headers = signWebhook({ payload, secret, id: one.id, timestamp: NOW_SECONDS });
        const tampered = [
          { secret, headers, payload: other.payload },
          { secret, payload, headers: { ...headers, 'webhook-id': other.id } },
          { secret, payload, headers: { ...headers, 'webhook-timestamp': `${NOW_SECONDS + 1}` } },
        ];
        for (const delivery of tampered) expect(verdicts(delivery)).toEqual([false, false, false]);
      }),
    );
  });

  it('accept several signatures, one of which matches', () => {
    fc.assert(
      fc.property(message, secrets, ({ secret, id, payload }, retired) => {
        const headers = signWebhook({ payload, secret, id, timestamp: NOW_SECONDS });
        const old = signWebhook({ payload, secret: retired, id, timestamp: NOW_SECONDS });
        const both = `${old['webhook-signature']} ${headers['webhook-signature']}`;
        const delivery = { secret, payload, headers: { ...headers, 'webhook-signature': both } };
        expect(verdicts(delivery)).toEqual([true, true, true]);
      }),
    );
  });

  it.each(['webhook-id', 'webhook-timestamp', 'webhook-signature'])(
    'refuse a delivery without %s',
    (name) => {
      const secret = `whsec_${Buffer.alloc(24, 1).toString('base64')}`;
      const { [name]: _, ...headers } = signWebhook({ payload: '{}', secret, timestamp: NOW_SECONDS });
      expect(verdicts({ secret, headers, payload: '{}' })).toEqual([false, false, false]);
    },
  );
});
