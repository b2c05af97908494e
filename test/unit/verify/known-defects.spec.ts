import { describe, expect, it } from '@jest/globals';
import { ScalekitWebhooksConfigurationError } from '../../../lib/errors/errors.js';
import { computeSignature, signWebhook } from '../../../lib/verify/signature.js';
import type { WebhookHeaders } from '../../../lib/verify/signature-headers.js';
import { parseSigningSecret } from '../../../lib/verify/signing-secret.js';
import { verifyWebhookSignature } from '../../../lib/verify/verify-signature.js';
import { codeOf, failureOf, ID, NOW, NOW_SECONDS, PAYLOAD, SECRET } from './verify.fixtures.js';

/** One test for each defect found in another verifier. */

const signed = { payload: PAYLOAD, secret: SECRET, id: ID, timestamp: NOW_SECONDS };
const standard = signWebhook(signed);
const scalekit = signWebhook({ ...signed, scheme: 'scalekit' });

function verify(headers: WebhookHeaders, payload: string | Uint8Array = PAYLOAD, secrets = SECRET) {
  return verifyWebhookSignature({ payload, headers, secrets, now: NOW });
}

/** Headers signed with any timestamp text, as anybody with the key can make them. */
function signedAt(timestamp: string) {
  const key = parseSigningSecret(SECRET).keyFor('standard');
  const signature = computeSignature(key, `${ID}.${timestamp}.`, PAYLOAD).toString('base64');
  return { 'webhook-id': ID, 'webhook-timestamp': timestamp, 'webhook-signature': `v1,${signature}` };
}

describe('a defect of @scalekit-sdk/node', () => {
  it.each(['whsec_', 'whsec_!!!!'])(
    'a secret without a key (%s) is refused, because anybody could sign with it',
    (secret) => {
      expect(() => verify(standard, PAYLOAD, secret)).toThrow(ScalekitWebhooksConfigurationError);
    },
  );

  it('a short first v1 entry does not make a later valid one fail', () => {
    const headers = { ...standard, 'webhook-signature': `v1,YWJj ${standard['webhook-signature']}` };
    expect(verify(headers).deliveryId).toBe(ID);
  });

  it('a secret with "_" in it is not cut there', () => {
    const secret = 'whsec_aaaa_bbbbbbbbbbbbbbbbbbbbbbbbbbb';
    const headers = signWebhook({ ...signed, secret });
    expect(verify(headers, PAYLOAD, secret).deliveryId).toBe(ID);
    expect(parseSigningSecret(secret).keyFor('standard').symmetricKeySize).toBe(24);
    expect(codeOf(() => verify(headers, PAYLOAD, 'whsec_aaaa'))).toBe('signature_mismatch');
  });

  it.each([
    ['upper case', (name: string) => name.toUpperCase()],
    ['title case', (name: string) => name.replace(/\b[a-z]/g, (letter) => letter.toUpperCase())],
  ])('header names in %s are found', (_, rename) => {
    for (const headers of [standard, scalekit]) {
      const renamed = Object.entries(headers).map(([name, value]) => [rename(name), value]);
      expect(verify(Object.fromEntries(renamed)).timestamp).toEqual(NOW);
    }
  });

  it('a timestamp followed by letters is refused, even with a valid signature', () => {
    expect(codeOf(() => verify(signedAt(`${NOW_SECONDS}zz`)))).toBe('headers_malformed');
    expect(codeOf(() => verify({ ...standard, 'webhook-timestamp': '123zz' }))).toBe('headers_malformed');
  });
});

describe('a defect of standardwebhooks', () => {
  it('header arrays are read', () => {
    const arrays = Object.entries(standard).map(([name, value]) => [name, [value]]);
    expect(verify(Object.fromEntries(arrays)).deliveryId).toBe(ID);
  });

  it.each(['{"id":', '', 'plain text'])(
    'a signed body that is not JSON (%j) is authentic and causes no SyntaxError',
    (payload) => {
      expect(verify(signWebhook({ ...signed, payload }), payload).deliveryId).toBe(ID);
    },
  );

  it('different bytes never share a signature, even if they decode to the same text', () => {
    const one = Buffer.from([0x22, 0xff, 0x22]);
    const other = Buffer.from([0x22, 0xfe, 0x22]);
    expect(one.toString()).toBe(other.toString());
    for (const scheme of ['standard', 'scalekit'] as const) {
      const headers = signWebhook({ ...signed, scheme, payload: one });
      expect(verify(headers, one).scheme).toBe(scheme);
      expect(codeOf(() => verify(headers, other))).toBe('signature_mismatch');
      expect(codeOf(() => verify(headers, one.toString()))).toBe('signature_mismatch');
    }
  });

  it('a timestamp followed by letters is refused', () => {
    expect(codeOf(() => verify(signedAt(`${NOW_SECONDS}abc`)))).toBe('headers_malformed');
    expect(codeOf(() => verify({ ...standard, 'webhook-timestamp': '123abc' }))).toBe('headers_malformed');
  });
});

describe('a defect of stripe and @workos-inc/node', () => {
  it.each(['standard', 'scalekit'] as const)('a timestamp ten years ahead is refused (%s)', (scheme) => {
    const timestamp = NOW_SECONDS + 10 * 365 * 24 * 3600;
    const headers = signWebhook({ ...signed, scheme, timestamp });
    expect(codeOf(() => verify(headers))).toBe('timestamp_out_of_tolerance');
  });
});

describe('a defect of several verifiers', () => {
  it('the bytes are verified, not the same JSON serialized again', () => {
    const spaced = '{ "id": "evt_1", "amount": 1.0 }';
    const again = JSON.stringify(JSON.parse(spaced));
    const headers = signWebhook({ ...signed, payload: spaced });
    expect(verify(headers, spaced).deliveryId).toBe(ID);
    expect(codeOf(() => verify(headers, again))).toBe('signature_mismatch');
  });

  it('no error contains the expected digest, the secret or the payload', () => {
    const payload = '{"email":"private@example.com"}';
    const forged = Buffer.alloc(32, 9);
    const attempts: WebhookHeaders[] = [
      { ...standard, 'webhook-signature': `v1,${forged.toString('base64')}` },
      { 'scalekit-signature': `t=${NOW_SECONDS},v1=${forged.toString('hex')}` },
      signWebhook({ ...signed, payload, timestamp: 1 }),
      { ...standard, 'webhook-signature': 'v1,private' },
      {},
    ];
    const digests = ['standard', 'scalekit'].flatMap((scheme) => {
      const prefix = scheme === 'standard' ? `${ID}.${NOW_SECONDS}.` : `${NOW_SECONDS}.`;
      const key = parseSigningSecret(SECRET).keyFor(scheme === 'standard' ? 'standard' : 'scalekit');
      const digest = computeSignature(key, prefix, payload);
      return [digest.toString('base64').slice(0, 12), digest.toString('hex').slice(0, 12)];
    });
    for (const headers of attempts) {
      const error = failureOf(() => verify(headers, payload));
      const shown = `${error.stack}${JSON.stringify(error)}${Object.values(error).join()}`;
      for (const secret of [...digests, 'private', SECRET.slice(6)]) expect(shown).not.toContain(secret);
      expect(error.cause).toBeUndefined();
    }
  });
});
