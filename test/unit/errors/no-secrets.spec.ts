import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';
import { ScalekitWebhooksConfigurationError } from '../../../lib/errors/errors.js';
import {
  checkOptions,
  describeValue,
  objectWith,
  oneOf,
  requireBackoff,
  requirePositiveInteger,
  requireToleranceSeconds,
  type SettingCheck,
} from '../../../lib/errors/settings.js';
import { signWebhook } from '../../../lib/verify/signature.js';
import { parseSigningSecret } from '../../../lib/verify/signing-secret.js';
import { verifyWebhookSignature } from '../../../lib/verify/verify-signature.js';

const KEY = 'aHVudGVyMmh1bnRlcjJodW50ZXIyaHVudGVyMmg';
const SECRET = `whsec_${KEY}=`;
const LIB = fileURLToPath(new URL('../../../lib/', import.meta.url));
const MESSAGE_FILES = readdirSync(LIB, { recursive: true, encoding: 'utf8' }).filter((file) =>
  file.endsWith('.messages.ts'),
);

function messagesIn(exported: object): unknown[] {
  return Object.values(exported).flatMap((value) => (typeof value === 'object' ? messagesIn(value) : value));
}

function errorOf(run: () => unknown): Error {
  try {
    run();
  } catch (error) {
    if (error instanceof ScalekitWebhooksConfigurationError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

describe.each(MESSAGE_FILES)('the messages in %s', (file) => {
  it('take no secret, payload, digest or signature as an argument', async () => {
    const messages = messagesIn(await import(`../../../lib/${file.replace(/ts$/, 'js')}`));
    expect(messages.length).toBeGreaterThan(0);
    for (const message of messages) {
      const text = String(message);
      const parameters = typeof message === 'function' ? text.slice(0, text.indexOf('=>')) : '';
      expect(parameters).not.toMatch(/\b(secrets?|payload|digest|signatures?)\b/);
      expect(text).not.toMatch(/whsec_[A-Za-z0-9+/]/);
    }
  });
});

describe('the message about a malformed secret', () => {
  const malformed = [KEY, ` ${KEY}`, `whsec_${KEY}!`, `${SECRET},${SECRET}`, `"${SECRET}"`];
  const settings = { payload: '{}', headers: {} };

  it.each([
    ['parseSigningSecret', (secret: string) => parseSigningSecret(secret)],
    ['signWebhook', (secret: string) => signWebhook({ payload: '{}', secret })],
    ['verifyWebhookSignature', (secret: string) => verifyWebhookSignature({ ...settings, secrets: secret })],
  ])('does not contain it: %s', (_, use) => {
    for (const secret of malformed) {
      const error = errorOf(() => use(secret));
      expect(`${error.stack}${JSON.stringify(error)}`).not.toContain(KEY);
    }
  });
});

describe('the message about an invalid setting', () => {
  it.each<[string, SettingCheck]>([
    ['oneOf', oneOf(['strict'])],
    ['objectWith', objectWith('claim')],
    ['requirePositiveInteger', requirePositiveInteger],
    ['requireToleranceSeconds', requireToleranceSeconds],
    ['requireBackoff', requireBackoff],
    ['checkOptions', (setting, value) => checkOptions(value, { [setting]: requirePositiveInteger })],
    ['an unknown option', (_setting, value) => checkOptions({ [String(value)]: 1 }, {})],
  ])('does not contain a signing secret that was passed by mistake: %s', (_, check) => {
    for (const value of [SECRET, [SECRET, SECRET], `key: ${SECRET}`]) {
      const error = errorOf(() => check('setting', value));
      expect(error.stack).not.toContain(KEY);
    }
  });
});

describe('describeValue', () => {
  it.each<[unknown, string]>([
    ['text', '"text"'],
    ['7', '"7"'],
    [7, '7'],
    [undefined, 'undefined'],
    [null, 'null'],
    [{ toString: () => KEY }, 'an object'],
    [Object.create(null), 'an object'],
    [[SECRET], 'an array'],
    [() => SECRET, 'a function'],
    [new Date('never'), 'an invalid date'],
    ['two\nlines', String.raw`"two\nlines"`],
    ['x'.repeat(100), `"${'x'.repeat(80)}"`],
    [`${'x'.repeat(75)} ${SECRET}`, `"${'x'.repeat(75)} whse"`],
    [SECRET, '"whsec_…"'],
    [`${SECRET},other,${SECRET}`, '"whsec_…,other,whsec_…"'],
  ])('describes %j as %s', (value, text) => {
    expect(describeValue(value)).toBe(text);
  });
});
