import { beforeEach, describe, expect, it } from '@jest/globals';
import { NonRetryableEventError, OnScalekitEvent, ScalekitWebhooksModule } from 'nestjs-scalekit-webhooks';
import { SqliteInboxStore } from 'nestjs-scalekit-webhooks/sqlite';
import { createScalekitEvent, SimulatedEventsApi } from 'nestjs-scalekit-webhooks/testing';
import { cleanUpAfterTest } from '../../helpers/cleanup.js';
import { runCliCaptured } from '../../helpers/run-cli-captured.js';
import { run } from '../../helpers/running-app.js';
import '../../helpers/scalekit-sdk.js';
import { openSqlite, sqliteFile } from '../../helpers/sqlite-files.js';
import { ADAPTERS, SECRET } from '../../helpers/test-app.js';

const HOUR = 3_600_000;

class Users {
  readonly handled: string[] = [];

  @OnScalekitEvent('user.*')
  sync({ id }: { readonly id: string }) {
    if (id === 'evt_dead') throw new NonRetryableEventError('no tenant');
    this.handled.push(id);
  }
}

function eventOf(agoMs: number, id: string, type: 'user.created' | 'user.deleted' = 'user.created') {
  return createScalekitEvent(type, { id, occurred_at: new Date(Date.now() - agoMs).toISOString() });
}

describe.each(ADAPTERS)('scalekit-webhooks recover, with an application on %s', (_name, adapter) => {
  let api: SimulatedEventsApi;
  let handled: readonly string[];
  let url: string;
  let env: Record<string, string>;

  beforeEach(async () => {
    api = new SimulatedEventsApi();
    const listening = await api.listen();
    cleanUpAfterTest(() => listening.close());
    const inbox = new SqliteInboxStore({ database: openSqlite(await sqliteFile()) });
    const imports = [ScalekitWebhooksModule.forRoot({ signingSecret: SECRET, inbox })];
    const app = await run(adapter, { imports, providers: [Users] });
    handled = app.get(Users).handled;
    url = `${await app.getUrl()}/webhooks/scalekit`;
    env = {
      SCALEKIT_WEBHOOK_SECRET: SECRET,
      SCALEKIT_ENVIRONMENT_URL: listening.url,
      SCALEKIT_CLIENT_ID: listening.clientId,
      SCALEKIT_CLIENT_SECRET: listening.clientSecret,
    };
  });

  const recover = (...argv: string[]) =>
    runCliCaptured(['recover', '--since', '48h', '--url', url, ...argv], { env });

  it('sends the missed events, oldest first, and has no effect the second time', async () => {
    api.add(
      eventOf(HOUR, 'evt_3'),
      eventOf(3 * HOUR, 'evt_1'),
      eventOf(2 * HOUR, 'evt_2'),
      eventOf(72 * HOUR, 'evt_0'),
    );

    expect(await recover()).toMatchObject({ exitCode: 0, stdout: '3 x 201\n' });
    expect(await recover()).toMatchObject({ exitCode: 0, stdout: '3 x 200\n' });

    expect(handled).toEqual(['evt_1', 'evt_2', 'evt_3']);
  });

  it('only lists them in a dry run', async () => {
    api.add(eventOf(HOUR, 'evt_1'), eventOf(HOUR, 'evt_2', 'user.deleted'));

    const { exitCode, stdout } = await recover('--dry-run', '--type', 'user.deleted');

    expect({ exitCode, lines: stdout.split('\n').slice(0, -1) }).toEqual({
      exitCode: 0,
      lines: [expect.stringMatching(/^\S+Z user\.deleted evt_2$/), '1 x found'],
    });
    expect(handled).toEqual([]);
  });

  it('exits with 1 if a handler fails, and sends the others', async () => {
    api.add(eventOf(2 * HOUR, 'evt_dead'), eventOf(HOUR, 'evt_2'));

    const { exitCode, stdout } = await recover();

    expect(exitCode).toBe(1);
    expect(stdout).toMatch(/^422 {2}user\.created evt_dead .*\n1 x 422, 1 x 201\n$/);
    expect(handled).toEqual(['evt_2']);
  });

  it('stops if the endpoint does not accept an event, and says how to go on', async () => {
    api.add(eventOf(2 * HOUR, 'evt_1'), eventOf(HOUR, 'evt_2'));

    const { exitCode, stderr } = await recover(
      '--secret',
      'whsec_b3RoZXIgc2VjcmV0IG9mIGFub3RoZXIgZW5kcG9pbnQ=',
    );

    expect(exitCode).toBe(1);
    expect(stderr).toMatch(
      /^The endpoint refused the signature\..*\nerror: Stopped, .* use --since \d{4}-\S+Z\n$/,
    );
  });

  it('exits with 2 if the URL of the API is none', async () => {
    const { exitCode, stderr } = await runCliCaptured(['recover', '--since', '48h', '--url', url], {
      env: { ...env, SCALEKIT_ENVIRONMENT_URL: 'not a url' },
    });

    expect({ exitCode, stderr }).toMatchObject({
      exitCode: 2,
      stderr: expect.stringMatching(/^error: The credentials/),
    });
  });

  it.each([
    ['without credentials', [], /No credentials for the Events API\. Set SCALEKIT_ENVIRONMENT_URL, /],
    ['with a window that ends before it begins', ['--until', '72h'], /--since must be before --until/],
  ])('exits with 2 %s', async (_, argv, message) => {
    const { exitCode, stderr } = await runCliCaptured(['recover', '--since', '48h', ...argv], {
      env: { SCALEKIT_WEBHOOK_SECRET: SECRET },
    });

    expect(exitCode).toBe(2);
    expect(stderr).toMatch(message);
  });
});
