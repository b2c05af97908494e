import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { verifyWebhookSignature } from '../../../lib/verify/verify-signature.js';
import { runCliCaptured } from '../../helpers/run-cli-captured.js';
import { SECRET } from '../../helpers/secrets.js';

const env = { SCALEKIT_WEBHOOK_SECRET: `${SECRET}, whsec_b2xk` };

interface ReceivedEvent {
  readonly id: string;
  readonly type: string;
  readonly data: Record<string, unknown>;
  readonly scheme: string;
}

describe('scalekit-webhooks trigger', () => {
  let server: Server;
  let url: string;
  let received: ReceivedEvent[];
  let open: number;
  let mostOpen: number;
  let statusFor: (index: number) => number;

  beforeEach(async () => {
    received = [];
    open = 0;
    mostOpen = 0;
    statusFor = () => 201;
    server = createServer(async (request, response) => {
      open += 1;
      mostOpen = Math.max(mostOpen, open);
      const payload = await buffer(request);
      try {
        const { scheme } = verifyWebhookSignature({ payload, headers: request.headers, secrets: SECRET });
        received.push({ ...JSON.parse(payload.toString()), scheme });
        response.writeHead(statusFor(received.length), { location: '/elsewhere' });
        response.end('{"received":\n true}\u001b[31m');
      } catch {
        response.writeHead(401).end();
      }
      open -= 1;
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}/webhooks/scalekit`;
  });

  afterEach(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  const trigger = (argv: string[], options: { env?: Record<string, string>; isTTY?: boolean } = { env }) =>
    runCliCaptured(['trigger', ...argv, '--url', url], options);

  it('sends a signed event, and prints the response on one line', async () => {
    const { exitCode, stdout, stderr } = await trigger(['user.created']);
    expect(received).toMatchObject([{ type: 'user.created', scheme: 'standard' }]);
    expect(stdout).toMatch(/^201 {2}user\.created evt_\w+ {2}\d+ ms {2}\{"received": true\} \[31m\n$/);
    expect(stderr).toBe('');
    expect(exitCode).toBe(0);
  });

  it('signs with the scalekit scheme on request', async () => {
    expect((await trigger(['user.created', '--scheme', 'scalekit'])).exitCode).toBe(0);
    expect(received).toMatchObject([{ scheme: 'scalekit' }]);
  });

  it('merges --data into the event', async () => {
    const data = '{"id":"evt_7","data":{"display_name":"Acme"},"type":"other"}';
    await trigger(['organization.created', '--data', data]);
    expect(received).toMatchObject([
      { id: 'evt_7', type: 'organization.created', data: { id: expect.any(String), display_name: 'Acme' } },
    ]);
  });

  it('reads --data from a file', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'scalekit-cli-'));
    const file = join(folder, 'data.json');
    writeFileSync(file, '{"id":"evt_8"}');
    await trigger(['organization.created', '--data', `@${file}`]);
    expect(received).toMatchObject([{ id: 'evt_8' }]);
    rmSync(folder, { recursive: true });
  });

  it('sends many events, a few at a time, each with its own ID', async () => {
    const { exitCode, stdout, stderr } = await trigger(['user.updated', '--count', '40']);
    expect(new Set(received.map(({ id }) => id)).size).toBe(40);
    expect(mostOpen).toBeLessThanOrEqual(8);
    expect(stdout.trimEnd().split('\n')).toHaveLength(41);
    expect(stdout).toMatch(/40 x 201\n$/);
    expect(stderr).toBe('');
    expect(exitCode).toBe(0);
  });

  it('shows a progress bar for many events on a terminal', async () => {
    const { stdout, stderr } = await trigger(['user.updated', '--count', '21'], { env, isTTY: true });
    expect(stderr).toContain('21/21');
    expect(stdout).toBe('21 x 201\n');
  });

  it.each([500, 404, 307])('exits with 1 if one response is %d', async (status) => {
    statusFor = (index) => (index === 2 ? status : 200);
    const { exitCode, stdout } = await trigger(['user.created', '--count', '3']);
    expect(stdout).toMatch(new RegExp(`^${status} {2}user.created`, 'm'));
    expect(stdout).toContain('2 x 200');
    expect(received).toHaveLength(3);
    expect(exitCode).toBe(1);
  });

  it('prints the 401 of a server that does not know the secret', async () => {
    const { exitCode, stdout } = await trigger(['user.created', '--secret', 'whsec_b2xk']);
    expect(stdout).toMatch(/^401/);
    expect(exitCode).toBe(1);
  });

  it('asks whether the application is running if the connection is refused', async () => {
    await new Promise((resolve) => server.close(resolve));
    const { exitCode, stdout } = await trigger(['user.created']);
    expect(stdout).toMatch(/connection refused; is the application running at http:\/\/127\.0\.0\.1:\d+\?/);
    expect(exitCode).toBe(1);
  });

  it('reports a request that cannot be made', async () => {
    const argv = ['trigger', 'user.created', '--url', 'http://127.0.0.1:1/'];
    const { exitCode, stdout } = await runCliCaptured(argv, { env });
    expect(stdout).toContain('the request failed (bad port)');
    expect(exitCode).toBe(1);
  });

  it('reports a broken connection', async () => {
    server.removeAllListeners('request').on('request', (request) => request.socket.destroy());
    const { exitCode, stdout } = await trigger(['user.created']);
    expect(stdout).toContain('closed the connection');
    expect(exitCode).toBe(1);
  });

  it('suggests similar types for an unknown type', async () => {
    const { exitCode, stderr } = await trigger(['user.craeted']);
    expect(stderr).toContain('Did you mean user.created');
    expect(received).toEqual([]);
    expect(exitCode).toBe(2);
  });

  it('sends an unknown type with --unlisted', async () => {
    expect((await trigger(['brand.new', '--unlisted'])).exitCode).toBe(0);
    expect(received).toMatchObject([{ type: 'brand.new' }]);
  });

  it.each([
    ['there is no secret', ['user.created'], {}, /SCALEKIT_WEBHOOK_SECRET/],
    ['the secret cannot be read', ['user.created', '--secret', 'hunter2'], env, /"whsec_"/],
    ['the data is not JSON', ['user.created', '--data', '{'], env, /--data must be a JSON object/],
    ['the data is not an object', ['user.created', '--data', '[1]'], env, /--data must be a JSON object/],
    [
      'the data file does not exist',
      ['user.created', '--data', '@nowhere.json'],
      env,
      /Cannot read nowhere\.json/,
    ],
  ])('exits with 2 if %s', async (_, argv, environment, reason) => {
    const { exitCode, stderr } = await trigger(argv, { env: environment });
    expect(stderr).toMatch(reason);
    expect(stderr).not.toContain('hunter2');
    expect(received).toEqual([]);
    expect(exitCode).toBe(2);
  });
});
