import { inspect } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import { ScalekitWebhooksConfigurationError } from '../../../lib/errors/errors.js';
import { parseSigningSecret } from '../../../lib/verify/signing-secret.js';
import { KEY, SECRET } from './verify.fixtures.js';

const standardKey = (text: string) => parseSigningSecret(text).keyFor('standard').export();

describe('parseSigningSecret', () => {
  it('decodes the key for the standard scheme and keeps the whole text for the scalekit scheme', () => {
    const secret = parseSigningSecret(SECRET);
    expect(secret.keyFor('standard').export()).toEqual(KEY);
    expect(secret.keyFor('scalekit').export().toString()).toBe(SECRET);
  });

  it('ignores whitespace around the secret, for both schemes', () => {
    const secret = parseSigningSecret(` \t${SECRET}\r\n`);
    expect(secret.keyFor('standard').export()).toEqual(KEY);
    expect(secret.keyFor('scalekit').export().toString()).toBe(SECRET);
  });

  it.each([
    ['whsec_+/+/', [0xfb, 0xff, 0xbf]],
    ['whsec_-_-_', [0xfb, 0xff, 0xbf]],
    ['whsec_YQ==', [0x61]],
    ['whsec_YQ', [0x61]],
    ['whsec_YWI=', [0x61, 0x62]],
    ['whsec_YWI', [0x61, 0x62]],
  ])('decodes %s', (text, bytes) => {
    expect([...standardKey(text)]).toEqual(bytes);
  });

  it.each([
    ['', /empty/],
    ['  \n', /empty/],
    ['YWJj', /"whsec_"/],
    ['WHSEC_YWJj', /"whsec_"/],
    ['"whsec_YWJj"', /in quotes.*"whsec_"/],
    ["'whsec_YWJj'", /in quotes/],
    ['“whsec_YWJj”', /in quotes/],
    ['whsec_', /key is missing/],
    ['whsec_!!!!', /not base64/],
    ['whsec_====', /not base64/],
    ['whsec_YWJjZ', /not base64/],
    ['whsec_YQ=', /not base64/],
    ['whsec_YWJj=', /not base64/],
    ['whsec_Y Q=', /not base64/],
    ['whsec_+_+_', /not base64/],
    ['whsec_YWJj,whsec_YWJj', /not base64/],
    ['whsec_YWJé', /not base64/],
  ])('refuses %j', (text, reason) => {
    const parse = () => parseSigningSecret(text);
    expect(parse).toThrow(ScalekitWebhooksConfigurationError);
    expect(parse).toThrow(reason);
    expect(parse).toThrow(/Scalekit dashboard/);
    expect(parse).toThrow(expect.objectContaining({ setting: 'signingSecret' }));
  });

  it('refuses a secret that is not set', () => {
    const unset: unknown = undefined;
    expect(() => parseSigningSecret(unset as string)).toThrow(/must be a string; found undefined/);
  });

  it('does not reveal the secret in its errors', () => {
    for (const text of ['hunter2hunter2', 'whsec_hunter2!', 'whsec_hunter2hunte']) {
      expect(() => parseSigningSecret(text)).not.toThrow(/hunter2/);
    }
  });

  it('says whether the key has fewer than 24 bytes', () => {
    const ofBytes = (count: number) => `whsec_${Buffer.alloc(count, 7).toString('base64')}`;
    expect(parseSigningSecret(ofBytes(23)).isShort).toBe(true);
    expect(parseSigningSecret(ofBytes(24)).isShort).toBe(false);
  });
});

describe('SigningSecret', () => {
  const secret = parseSigningSecret(SECRET);
  const key = SECRET.slice('whsec_'.length);

  it.each([
    ['inspected', inspect(secret, { showHidden: true, depth: 10, getters: true })],
    ['inspected inside other objects', inspect({ options: { secret } }, { depth: 10 })],
    ['serialized', JSON.stringify({ secret })],
    ['converted to a string', `${secret} ${JSON.stringify(Object.getOwnPropertyDescriptors(secret))}`],
  ])('does not reveal its key when %s', (_, text) => {
    expect(text).not.toContain(key);
    expect(text).not.toContain(KEY.toString());
    expect(text).not.toContain(KEY.toString('hex').slice(0, 8));
    expect(text).not.toContain('30 31 32 33');
  });
});
