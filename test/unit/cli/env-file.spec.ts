import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { signWebhook } from '../../../lib/verify/signature.js';
import { runCliCaptured } from '../../helpers/run-cli-captured.js';
import { OTHER_SECRET, PAYLOAD, SECRET } from '../verify/verify.fixtures.js';

let cwd: string;
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'scalekit-cli-'));
  writeFileSync(join(cwd, 'headers.json'), JSON.stringify(signWebhook({ payload: PAYLOAD, secret: SECRET })));
  writeFileSync(join(cwd, 'body.json'), PAYLOAD);
});
afterEach(() => {
  rmSync(cwd, { recursive: true });
});

const write = (name: string, content: string | Buffer) => {
  writeFileSync(join(cwd, name), content);
  return join(cwd, name);
};

/** `verify` succeeds only with the right secret. */
const verify = (argv: string[] = [], env: Record<string, string> = {}) =>
  runCliCaptured(
    ['verify', '--headers', join(cwd, 'headers.json'), '--body', join(cwd, 'body.json'), ...argv],
    { env, cwd },
  );

describe('The environment of a command', () => {
  it('has the variables of the .env file in the current folder', async () => {
    write('.env', `# Scalekit\nSCALEKIT_WEBHOOK_SECRET="${SECRET}" # local\n`);
    expect((await verify()).exitCode).toBe(0);
  });

  it('needs no .env file', async () => {
    expect((await verify([], { SCALEKIT_WEBHOOK_SECRET: SECRET })).exitCode).toBe(0);
    expect((await verify()).stderr).toContain('in a .env file');
  });

  it('has the variables of --env-file instead, before or after the command', async () => {
    write('.env', `SCALEKIT_WEBHOOK_SECRET=${OTHER_SECRET}`);
    const file = write('other.env', `export SCALEKIT_WEBHOOK_SECRET=${SECRET}\r\n`);
    expect((await verify(['--env-file', file])).exitCode).toBe(0);
    const before = ['--env-file', file, 'verify', '--headers', join(cwd, 'headers.json')];
    expect((await runCliCaptured([...before, '--body', join(cwd, 'body.json')], { cwd })).exitCode).toBe(0);
  });

  it('comes first from the process', async () => {
    write('.env', `SCALEKIT_WEBHOOK_SECRET=${OTHER_SECRET}`);
    expect((await verify([], { SCALEKIT_WEBHOOK_SECRET: SECRET })).exitCode).toBe(0);
  });

  it('can name the inbox', async () => {
    write('.env', 'SCALEKIT_INBOX_URL=sqlite:nowhere.db');
    const { stderr } = await runCliCaptured(['inbox', 'list'], { cwd });
    expect(stderr).toContain('File not found: nowhere.db');
  });

  it.each([
    ['UTF-16, as PowerShell writes it', (text: string) => Buffer.from(`\ufeff${text}`, 'utf16le')],
    ['big-endian UTF-16', (text: string) => Buffer.from(`\ufeff${text}`, 'utf16le').swap16()],
    ['UTF-8 with a byte order mark', (text: string) => Buffer.from(`\ufeff${text}`)],
  ])('can be a file in %s', async (_, encode) => {
    write('.env', encode(`SCALEKIT_WEBHOOK_SECRET=${SECRET}\r\n`));
    expect((await verify()).exitCode).toBe(0);
  });

  it('exits with 2 if the file of --env-file does not exist', async () => {
    const { exitCode, stderr } = await verify(['--env-file', join(cwd, 'nowhere.env')]);
    expect(stderr).toMatch(/Cannot read .*nowhere\.env \(ENOENT\)/);
    expect(exitCode).toBe(2);
  });

  it.each(['"', "'", '“'])('can have a secret in quotes, which is reported: %s', async (quote) => {
    const { exitCode, stderr } = await verify([], { SCALEKIT_WEBHOOK_SECRET: `${quote}${SECRET}${quote}` });
    expect(stderr).toContain('The signing secret is in quotes. Remove them');
    expect(exitCode).toBe(2);
  });
});

describe('scalekit-webhooks secret', () => {
  it('makes another secret each time, which the module accepts', async () => {
    const [one, other] = [await runCliCaptured(['secret']), await runCliCaptured(['secret'])];
    expect(one.stdout).toMatch(/^whsec_[A-Za-z0-9+/]{43}=\n$/);
    expect(one.stdout).not.toBe(other.stdout);
    expect(one.stderr).toContain('development only');
    expect(one.exitCode).toBe(0);
    const argv = ['--secret', one.stdout.trim()];
    expect((await verify(argv)).stdout).toContain('does not match the secret');
  });

  it('can be appended to a .env file', async () => {
    write('.env', (await runCliCaptured(['secret', '--env'])).stdout);
    expect((await verify()).stdout).toContain('does not match the secret');
  });
});
