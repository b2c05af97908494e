import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { signWebhook } from '../../../lib/verify/signature.js';
import { runCliCaptured } from '../../helpers/run-cli-captured.js';
import { NOW_SECONDS, OTHER_SECRET, PAYLOAD, SECRET } from '../verify/verify.fixtures.js';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'scalekit-cli-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

const EVENT = { id: 'evt_1', type: 'user.created', data: {} };
const signed = { payload: PAYLOAD, secret: SECRET, timestamp: NOW_SECONDS };
const standard = signWebhook(signed);
const scalekit = signWebhook({ ...signed, scheme: 'scalekit' });

const asLines = (headers: Record<string, string>) =>
  ['POST /webhooks/scalekit HTTP/1.1', ...Object.entries(headers).map((entry) => entry.join(': '))].join(
    '\n',
  );

function verify(
  headers: string | object,
  body: string | Uint8Array = PAYLOAD,
  { argv = ['--now', `${NOW_SECONDS}`], secret = SECRET } = {},
) {
  const [headersFile, bodyFile] = [join(folder, 'headers'), join(folder, 'body')];
  writeFileSync(headersFile, typeof headers === 'string' ? headers : JSON.stringify(headers));
  writeFileSync(bodyFile, body);
  const files = ['--headers', headersFile, '--body', bodyFile];
  return runCliCaptured(['verify', ...files, ...argv], { env: { SCALEKIT_WEBHOOK_SECRET: secret } });
}

describe('scalekit-webhooks verify', () => {
  it.each([
    ['lines', asLines(standard)],
    ['lines with Windows line endings', asLines(standard).replaceAll('\n', '\r\n')],
    ['lines as curl prints them', asLines(standard).replaceAll(/^/gm, '> ')],
    ['a JSON object', standard],
    ['a JSON object of lists', Object.fromEntries(Object.entries(standard).map(([k, v]) => [k, [v]]))],
  ])('accepts a valid signature, with headers from %s', async (_, headers) => {
    const { exitCode, stdout } = await verify(headers);
    expect(stdout).toMatch(/Scheme +standard/);
    expect(stdout).toMatch(/0 s ago \(within the tolerance of 300 s\)/);
    expect(stdout).toMatch(/Signature +matches\n/);
    expect(stdout).toMatch(/\nVerified\./);
    expect(exitCode).toBe(0);
  });

  it('supports the scalekit scheme', async () => {
    const { exitCode, stdout } = await verify(asLines(scalekit));
    expect(stdout).toMatch(/Scheme +scalekit/);
    expect(exitCode).toBe(0);
  });

  it('explains each scheme separately if both are present', async () => {
    const { exitCode, stdout } = await verify({ ...standard, ...scalekit });
    expect(stdout.match(/Signature +matches\n/g)).toHaveLength(2);
    expect(exitCode).toBe(0);
  });

  it('accepts several secrets, and prefers the command line to the environment', async () => {
    expect((await verify(standard, PAYLOAD, { secret: `${OTHER_SECRET}, ${SECRET}` })).exitCode).toBe(0);
    const argv = ['--now', `${NOW_SECONDS}`, '--secret', SECRET];
    expect((await verify(standard, PAYLOAD, { secret: OTHER_SECRET, argv })).exitCode).toBe(0);
  });

  it('distinguishes an old timestamp from a wrong signature', async () => {
    const { exitCode, stdout } = await verify(standard, PAYLOAD, { argv: [] });
    expect(stdout).toMatch(/ago \(outside the tolerance of 300 s\)/);
    expect(stdout).toContain('--now');
    expect(stdout).toMatch(/Signature +matches\n/);
    expect(stdout).toMatch(/\nVerification failed\./);
    expect(exitCode).toBe(1);
  });

  it('accepts another tolerance, and reports a timestamp in the future', async () => {
    const argv = ['--now', `${NOW_SECONDS - 20}`, '--tolerance', '10'];
    const { exitCode, stdout } = await verify(standard, PAYLOAD, { argv });
    expect(stdout).toMatch(/20 s in the future \(outside the tolerance of 10 s\)/);
    expect(exitCode).toBe(1);
  });

  it.each([
    ['an added newline', `${PAYLOAD}\n`, /matches the body without its final newline/],
    ['reserialized JSON', JSON.stringify(JSON.parse(PAYLOAD), null, 2), /the same JSON in compact/],
    ['PowerShell, which writes UTF-16', Buffer.from(`\ufeff${PAYLOAD}\r\n`, 'utf16le'), /secret is right/],
    ['an editor that indents', `${JSON.stringify(JSON.parse(PAYLOAD), null, 3)}\r\n`, /secret is right/],
    ['an empty file', '', /body file is empty/],
    ['a cut', PAYLOAD.slice(0, -5), /not valid JSON, so it is incomplete/],
    ['a part of the event', '{"other":true}', /not a complete event/],
    ['bytes that are not text', Buffer.from([0xff]), /not UTF-8 text/],
    ['lost characters', JSON.stringify({ ...EVENT, name: 'M\ufffdller' }), /contains U\+FFFD/],
    ['other formatting', JSON.stringify({ ...EVENT, other: true }, null, 2), /formatted JSON/],
  ])('does not blame the secret for %s', async (_, body, cause) => {
    const { exitCode, stdout } = await verify(standard, body);
    expect(stdout).toMatch(cause);
    expect(stdout).not.toMatch(/another endpoint/);
    expect(exitCode).toBe(1);
  });

  it.each([
    [
      'an event with another value',
      JSON.stringify({ ...EVENT, other: true }),
      /may belong to another endpoint/,
    ],
  ])('explains a mismatch caused by %s', async (_, body, cause) => {
    const { exitCode, stdout } = await verify(standard, body);
    expect(stdout).toMatch(cause);
    expect(exitCode).toBe(1);
  });

  it('names the missing header', async () => {
    const { exitCode, stdout } = await verify({ ...standard, 'webhook-timestamp': '' });
    expect(stdout).toMatch(/missing webhook-timestamp/);
    expect(exitCode).toBe(1);
  });

  it('says what is wrong with a malformed header', async () => {
    const { exitCode, stdout } = await verify({ ...standard, 'webhook-timestamp': '123abc' });
    expect(stdout).toMatch(/Headers +The timestamp in webhook-timestamp/);
    expect(exitCode).toBe(1);
  });

  it('prints neither the secret nor the expected digest', async () => {
    const wrong = { ...standard, 'webhook-signature': `v1,${Buffer.alloc(32).toString('base64')}` };
    const { stdout, stderr } = await verify(wrong);
    expect(stdout + stderr).not.toContain(SECRET.slice(6));
    expect(stdout + stderr).not.toContain(standard['webhook-signature']?.slice(3, 20));
  });

  it.each([
    ['there is no secret', standard, { secret: '' }, /SCALEKIT_WEBHOOK_SECRET/],
    ['the secret cannot be read', standard, { secret: 'whsec_!' }, /not base64/],
    ['the headers file contains no headers', 'none', {}, /No headers found in/],
    ['the headers file is invalid JSON', '{"webhook-id', {}, /No headers found in/],
  ])('exits with 2 if %s', async (_, headers, options, reason) => {
    const { exitCode, stderr } = await verify(headers, PAYLOAD, options);
    expect(stderr).toMatch(reason);
    expect(exitCode).toBe(2);
  });

  it('exits with 2 if a file cannot be read', async () => {
    const argv = ['verify', '--headers', join(folder, 'nowhere'), '--body', join(folder, 'body')];
    const { exitCode, stderr } = await runCliCaptured(argv);
    expect(stderr).toMatch(/Cannot read .*nowhere \(ENOENT\)/);
    expect(exitCode).toBe(2);
  });
});
