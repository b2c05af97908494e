import { describe, expect, it } from '@jest/globals';
import { type DynamicModule, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  type EventTransport,
  OnScalekitEvent,
  ScalekitWebhooksConfigurationError,
  ScalekitWebhooksModule,
} from 'nestjs-scalekit-webhooks';
import { SqliteInboxStore } from 'nestjs-scalekit-webhooks/sqlite';
import { cleanUpAfterTest } from '../../helpers/cleanup.js';
import { run } from '../../helpers/running-app.js';
import { openSqlite, sqliteFile } from '../../helpers/sqlite-files.js';
import { ADAPTERS, SECRET } from '../../helpers/test-app.js';

class Handlers {
  @OnScalekitEvent('user.created', { endpoint: 'eu' })
  handle() {}
}

@Module({})
class AppModule {}

async function appModule(endpoints: readonly string[], providers: DynamicModule['providers']) {
  const inbox = new SqliteInboxStore({ database: openSqlite(await sqliteFile()) });
  const transport: EventTransport = { spansProcesses: true, start: () => [] };
  const imports = endpoints.map((name) =>
    ScalekitWebhooksModule.forRoot({ name, path: name, signingSecret: SECRET, inbox, transport }),
  );
  return { module: AppModule, imports, ...(providers && { providers }) };
}

const refusal = (endpoint: string) =>
  expect.objectContaining({
    setting: 'transport',
    message: expect.stringMatching(
      new RegExp(
        `The endpoint "${endpoint}" hands runs to other processes, but .*no handlers.*Provide the same handlers`,
      ),
    ),
  });

describe('an endpoint with a queue', () => {
  it.each(ADAPTERS)(
    'must have handlers, also in a process that only receives, on %s',
    async (_name, adapter) => {
      const { imports } = await appModule(['eu'], []);
      const started = run(adapter, { imports });

      await expect(started).rejects.toBeInstanceOf(ScalekitWebhooksConfigurationError);
      await expect(started).rejects.toEqual(refusal('eu'));
    },
  );

  it.each(ADAPTERS)('is not content with the handlers of another endpoint, on %s', async (_name, adapter) => {
    const { imports } = await appModule(['eu', 'us'], []);

    await expect(run(adapter, { imports, providers: [Handlers] })).rejects.toEqual(refusal('us'));
  });

  it.each(ADAPTERS)('starts with a handler, whatever its event type is, on %s', async (_name, adapter) => {
    const { imports } = await appModule(['eu'], []);

    await expect(run(adapter, { imports, providers: [Handlers] })).resolves.toBeDefined();
  });

  it('must have handlers in a worker process without HTTP', async () => {
    const start = async (providers: DynamicModule['providers']) => {
      const options = { logger: false as const, abortOnError: false };
      const context = await NestFactory.createApplicationContext(await appModule(['eu'], providers), options);
      cleanUpAfterTest(() => context.close());
    };

    await expect(start([])).rejects.toEqual(refusal('eu'));
    await expect(start([Handlers])).resolves.toBeUndefined();
  });
});
