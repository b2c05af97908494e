import { describe, expect, it } from '@jest/globals';
import { ScalekitWebhooksConfigurationError } from '../../../lib/errors/errors.js';
import { signWebhook } from '../../../lib/verify/signature.js';
import type { WebhookHeaders } from '../../../lib/verify/signature-headers.js';
import { parseSigningSecret } from '../../../lib/verify/signing-secret.js';
import {
  type VerifyWebhookSignatureOptions,
  verifyWebhookSignature,
} from '../../../lib/verify/verify-signature.js';
import { codeOf, failureOf, ID, NOW, NOW_SECONDS, OTHER_SECRET, PAYLOAD, SECRET } from './verify.fixtures.js';

const signed = { payload: PAYLOAD, secret: SECRET, id: ID, timestamp: NOW_SECONDS };
const standard = signWebhook(signed);
const scalekit = signWebhook({ ...signed, scheme: 'scalekit' });

function verify(headers: WebhookHeaders, changes: Partial<VerifyWebhookSignatureOptions> = {}) {
  return verifyWebhookSignature({ payload: PAYLOAD, headers, secrets: SECRET, now: NOW, ...changes });
}

describe.each([
  ['standard', standard, { scheme: 'standard', timestamp: NOW, deliveryId: ID }],
  ['scalekit', scalekit, { scheme: 'scalekit', timestamp: NOW }],
] as const)('verifyWebhookSignature under the %s scheme', (scheme, headers, verified) => {
  it('accepts a signed payload', () => {
    expect(verify(headers)).toStrictEqual(verified);
  });

  it('accepts bytes as well as a string', () => {
    expect(verify(headers, { payload: Buffer.from(PAYLOAD) })).toEqual(verified);
    expect(verify(headers, { payload: new TextEncoder().encode(PAYLOAD) })).toEqual(verified);
  });

  it('accepts bytes inside a larger buffer', () => {
    const larger = Buffer.from(`before${PAYLOAD}after`);
    expect(verify(headers, { payload: larger.subarray(6, -5) })).toEqual(verified);
  });

  it.each([
    ['', 'an empty string'],
    ['Grüße 漢字 😀', 'text beyond ASCII'],
    ['not JSON {', 'text that is not JSON'],
    ['\ufeff{}', 'a byte order mark'],
  ])('accepts %j: %s', (payload) => {
    const own = signWebhook({ ...signed, scheme, payload });
    expect(verify(own, { payload })).toEqual(verified);
    expect(verify(own, { payload: Buffer.from(payload) })).toEqual(verified);
  });

  it('refuses another body, another secret or another timestamp', () => {
    expect(codeOf(() => verify(headers, { payload: `${PAYLOAD} ` }))).toBe('signature_mismatch');
    expect(codeOf(() => verify(headers, { secrets: OTHER_SECRET }))).toBe('signature_mismatch');
    const later = JSON.parse(JSON.stringify(headers).replace(`${NOW_SECONDS}`, `${NOW_SECONDS + 1}`));
    expect(codeOf(() => verify(later))).toBe('signature_mismatch');
  });

  it.each([
    ['strings', [OTHER_SECRET, SECRET]],
    ['parsed', [parseSigningSecret(OTHER_SECRET), parseSigningSecret(SECRET)]],
    ['both', [OTHER_SECRET, parseSigningSecret(SECRET)]],
  ])('accepts any of several secrets (%s)', (_, secrets) => {
    expect(verify(headers, { secrets })).toEqual(verified);
  });

  it('accepts a parsed secret', () => {
    expect(verify(headers, { secrets: parseSigningSecret(SECRET) })).toEqual(verified);
  });

  it.each([-300, 300])('accepts a clock that is off by %d seconds, the tolerance', (seconds) => {
    expect(verify(headers, { now: (NOW_SECONDS + seconds) * 1000 })).toEqual(verified);
  });

  it.each([-301, 301])('refuses a clock that is off by %d seconds', (seconds) => {
    const now = new Date((NOW_SECONDS + seconds) * 1000);
    expect(codeOf(() => verify(headers, { now }))).toBe('timestamp_out_of_tolerance');
  });

  it('compares whole seconds', () => {
    expect(verify(headers, { now: (NOW_SECONDS + 300) * 1000 + 999 })).toEqual(verified);
  });

  it('accepts another tolerance', () => {
    const now = (NOW_SECONDS + 10) * 1000;
    expect(verify(headers, { now, toleranceSeconds: 10 })).toEqual(verified);
    expect(codeOf(() => verify(headers, { now, toleranceSeconds: 9 }))).toBe('timestamp_out_of_tolerance');
    expect(verify(headers, { toleranceSeconds: 0 })).toEqual(verified);
  });

  it('uses the current time by default', () => {
    const now = signWebhook({ payload: PAYLOAD, secret: SECRET, scheme });
    expect(verify(now, { now: undefined }).scheme).toBe(scheme);
    expect(codeOf(() => verify(headers, { now: undefined }))).toBe('timestamp_out_of_tolerance');
  });

  it('says how far, and in which direction, a timestamp is off', () => {
    const old = failureOf(() => verify(headers, { now: (NOW_SECONDS + 400) * 1000 }));
    expect(old.message).toMatch(/400 s ago; the tolerance is 300 s/);
    const early = failureOf(() => verify(headers, { now: (NOW_SECONDS - 400) * 1000 }));
    expect(early.message).toMatch(/400 s in the future/);
  });
});

describe('verifyWebhookSignature with headers of both schemes', () => {
  const forged = { 'webhook-signature': `v1,${Buffer.alloc(32).toString('base64')}` };

  it('accepts when both match', () => {
    expect(verify({ ...standard, ...scalekit }).scheme).toBe('standard');
  });

  it.each([
    ['does not match', forged],
    ['is malformed', { 'webhook-signature': 'v1,short' }],
    ['is too old', { 'webhook-timestamp': '1' }],
    ['is incomplete', { 'webhook-id': '' }],
  ])('accepts when the standard one %s and the scalekit one is valid', (_, changes) => {
    expect(verify({ ...standard, ...changes, ...scalekit }).scheme).toBe('scalekit');
  });

  it('accepts when only the standard one is valid', () => {
    expect(verify({ ...standard, 'scalekit-signature': 'nonsense' }).scheme).toBe('standard');
  });

  it('refuses when neither is valid, and gives the reason of the standard one', () => {
    const headers = { ...standard, ...forged, 'scalekit-signature': 'nonsense' };
    expect(codeOf(() => verify(headers))).toBe('signature_mismatch');
  });

  it('does not accept a signature of one scheme in a header of the other', () => {
    const base64 = signWebhook(signed)['webhook-signature']?.slice(3) ?? '';
    const hex = Buffer.from(base64, 'base64').toString('hex');
    const headers = { 'scalekit-signature': `t=${NOW_SECONDS},v1=${hex}` };
    expect(codeOf(() => verify(headers))).toBe('signature_mismatch');
  });
});

describe('verifyWebhookSignature with invalid options', () => {
  it('refuses an empty list of secrets', () => {
    const run = () => verify(standard, { secrets: [] });
    expect(run).toThrow(ScalekitWebhooksConfigurationError);
    expect(run).toThrow(/list of signing secrets is empty/);
  });

  it('refuses a secret that is not set', () => {
    const unset: unknown = undefined;
    expect(() => verify(standard, { secrets: unset as string })).toThrow(ScalekitWebhooksConfigurationError);
  });

  it('refuses a malformed secret, even if another one matches', () => {
    expect(() => verify(standard, { secrets: [SECRET, 'whsec_'] })).toThrow(
      ScalekitWebhooksConfigurationError,
    );
  });

  it.each([Number.NaN, -1, Number.POSITIVE_INFINITY])('refuses a tolerance of %d', (toleranceSeconds) => {
    const run = () => verify(standard, { toleranceSeconds });
    expect(run).toThrow(ScalekitWebhooksConfigurationError);
    expect(run).toThrow(/toleranceSeconds/);
  });

  it.each([Number.NaN, new Date('never')])('refuses %p as the time', (now) => {
    expect(() => verify(standard, { now })).toThrow(ScalekitWebhooksConfigurationError);
  });

  it.each([
    ['a parsed object', JSON.parse(PAYLOAD)],
    ['undefined', undefined],
    ['null', null],
    ['an ArrayBuffer', new ArrayBuffer(8)],
    ['an array', [1, 2]],
  ])('asks for the raw body when given %s', (_, payload) => {
    const run = () => verify(standard, { payload: payload as string });
    expect(run).toThrow(ScalekitWebhooksConfigurationError);
    expect(run).toThrow(/raw body/);
  });

  it('refuses a string with a lone surrogate, which UTF-8 cannot encode', () => {
    const payload = '{"name":"\ud800"}';
    const headers = signWebhook({ ...signed, payload });
    expect(codeOf(() => verify(headers, { payload }))).toBe('payload_malformed');
  });

  it('does not report a programming error as a failed signature', () => {
    const headers = {
      get: () => {
        throw new RangeError('broken');
      },
    };
    expect(() => verify(headers)).toThrow(RangeError);
    const broken: unknown = {
      keyFor: () => {
        throw new RangeError('broken');
      },
    };
    expect(() => verify(standard, { secrets: broken as string })).toThrow(RangeError);
  });
});
