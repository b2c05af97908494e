import { inspect } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { INestApplication } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { TerminusModule } from '@nestjs/terminus';
import { Queue } from 'bullmq';
import { getMetadataStorage } from 'class-validator';
import { Redis } from 'ioredis';
import Database from 'libsql';
import * as main from 'nestjs-scalekit-webhooks';
import * as bullmq from 'nestjs-scalekit-webhooks/bullmq';
import * as dashboard from 'nestjs-scalekit-webhooks/dashboard';
import * as opentelemetry from 'nestjs-scalekit-webhooks/opentelemetry';
import * as postgres from 'nestjs-scalekit-webhooks/postgres';
import * as recovery from 'nestjs-scalekit-webhooks/recovery';
import * as redis from 'nestjs-scalekit-webhooks/redis';
import * as sqlite from 'nestjs-scalekit-webhooks/sqlite';
import * as terminus from 'nestjs-scalekit-webhooks/terminus';
import * as testing from 'nestjs-scalekit-webhooks/testing';
import { Pool } from 'pg';
import { ADAPTERS, startApp } from '../../helpers/test-app.js';

const KEY = 'c2VjcmV0LXRoYXQtbm9ib2R5LW1heS1zZWU';
const SECRET = `whsec_${KEY}=`;
const PASSWORD = 'hunter2-of-the-database';
const ENCRYPTION_KEY = Buffer.from('a key that encrypts all payloads').toString('base64');
const encryption = { keys: [{ id: '2026-01', secret: ENCRYPTION_KEY }] };

class Handlers {
  @main.OnScalekitEvent('user.created')
  created() {}
}

const pool = new Pool({ connectionString: `postgres://app:${PASSWORD}@127.0.0.1:1/app` });
const client = new Redis({ host: '127.0.0.1', port: 1, password: PASSWORD, lazyConnect: true });
client.on('error', () => {});
const database = new Database(':memory:');
const queue = new Queue('q', { connection: client });
queue.on('error', () => {});
const application = 'test';
/** The SDK's client holds its secret in plain fields. */
const sdkClient = Object.assign(new testing.SimulatedEventsApi().client, { clientSecret: PASSWORD });

afterAll(async () => {
  client.disconnect();
  await pool.end();
});

/** Every class that an entry point exports, but for errors and the classes of events, which hold no secret. */
const CLASSES = [main, testing, postgres, redis, sqlite, bullmq, recovery, terminus, opentelemetry, dashboard]
  .flatMap((entryPoint) => Object.entries<unknown>(entryPoint))
  .filter(
    ([, value]) => typeof value === 'function' && String(value).startsWith('class ') && !isOfEvents(value),
  )
  .map(([name]) => name)
  .filter((name) => !name.endsWith('Error'));

function isOfEvents(value: object): boolean {
  return getMetadataStorage().getTargetValidationMetadatas(value as never, '', false, false).length > 0;
}

describe.each(ADAPTERS)('printing, inspecting or serializing, on %s', (_name, adapter) => {
  let app: INestApplication;

  beforeAll(async () => {
    app = await startApp(adapter, {
      imports: [
        main.ScalekitWebhooksModule.forRoot({
          signingSecret: [SECRET],
          inbox: new sqlite.SqliteInboxStore({ database: new Database(':memory:'), encryption }),
          verifier: () => true,
        }),
        recovery.ScalekitRecoveryModule.forRoot({ client: sdkClient, onStart: false }),
        TerminusModule.forRoot({ logger: false }),
        dashboard.ScalekitDashboardModule.forRoot({ unsafeWithoutGuard: true }),
      ],
      providers: [Handlers, terminus.ScalekitInboxHealthIndicator],
    });
  });
  afterAll(async () => {
    await app.close();
  });

  const TABLE: Record<string, () => unknown> = {
    OpenTelemetryObserver: () => new opentelemetry.OpenTelemetryObserver(),
    ScalekitInboxHealthIndicator: () => app.get(terminus.ScalekitInboxHealthIndicator),
    ScalekitWebhooksModule: () =>
      [...app.get(ModulesContainer).values()].find(({ metatype }) => metatype === main.ScalekitWebhooksModule)
        ?.instance,
    'ScalekitWebhooksModule.forRoot()': () => main.ScalekitWebhooksModule.forRoot({ signingSecret: SECRET }),
    'ScalekitWebhooksModule.forRootAsync()': () =>
      main.ScalekitWebhooksModule.forRootAsync({ useFactory: () => ({ signingSecret: SECRET }) }),
    ScalekitEventDispatcher: () => app.get(main.ScalekitEventDispatcher, { strict: false }),
    ScalekitInbox: () => app.get(main.ScalekitInbox, { strict: false }),
    SigningSecret: () => main.parseSigningSecret(SECRET),
    MemoryInboxStore: () => new main.MemoryInboxStore({ transaction: async (work) => work(pool) }),
    PostgresInboxStore: () => new postgres.PostgresInboxStore({ client: pool, application, encryption }),
    'PostgresInboxStore without prepared statements': () =>
      new postgres.PostgresInboxStore({ client: pool, application, preparedStatements: false }),
    'prismaQueryable()': () =>
      postgres.prismaQueryable({ $queryRawUnsafe: async () => [], ...{ url: PASSWORD, secret: SECRET } }),
    'drizzleQueryable()': () =>
      postgres.drizzleQueryable({ $client: pool, transaction() {}, _: { url: PASSWORD } } as never),
    'kyselyQueryable()': () =>
      postgres.kyselyQueryable({ withoutPlugins() {}, transaction() {}, url: PASSWORD } as never),
    RedisInboxStore: () => new redis.RedisInboxStore({ client, application, encryption }),
    SqliteInboxStore: () => new sqlite.SqliteInboxStore({ database, encryption }),
    InboxTransport: () => new main.InboxTransport(),
    BullMqTransport: () => new bullmq.BullMqTransport({ queue }),
    ScalekitWebhookTester: () => new testing.ScalekitWebhookTester(app, { secret: SECRET }),
    ScalekitRecoveryModule: () =>
      [...app.get(ModulesContainer).values()].find(
        ({ metatype }) => metatype === recovery.ScalekitRecoveryModule,
      )?.instance,
    'ScalekitRecoveryModule.forRoot()': () => recovery.ScalekitRecoveryModule.forRoot({ client: sdkClient }),
    ScalekitRecovery: () => app.get(recovery.ScalekitRecovery, { strict: false }),
    ScalekitDashboardModule: () =>
      [...app.get(ModulesContainer).values()].find(
        ({ metatype }) => metatype === dashboard.ScalekitDashboardModule,
      )?.instance,
    SimulatedEventsApi: () => new testing.SimulatedEventsApi(),
    ScalekitDeliverySimulator: () =>
      new testing.ScalekitDeliverySimulator({ app, secrets: [{ secret: SECRET }] }),
  };

  it.each(Object.entries(TABLE))('%s, or an object that holds it, shows no secret', (_title, create) => {
    const value = create();
    const holder = { held: value, list: [value], map: new Map([['it', value]]) };
    const shown = [value, holder].flatMap((one) => [
      inspect(one, { depth: Number.POSITIVE_INFINITY, showHidden: true }),
      inspect(one),
      JSON.stringify(one) ?? '',
      String(one),
    ]);

    for (const text of shown) {
      expect(text).not.toContain(KEY);
      expect(text).not.toContain(PASSWORD);
      expect(text).not.toContain(ENCRYPTION_KEY);
    }
  });

  it('the application, which holds everything, shows no secret', () => {
    expect(inspect(app, { depth: 10 })).not.toContain(KEY);
    expect(inspect(app, { depth: 10 })).not.toContain(ENCRYPTION_KEY);
  });

  it('covers every class that an entry point exports', () => {
    expect(CLASSES).toContain('ScalekitInbox');
    expect(CLASSES.filter((name) => !(name in TABLE))).toEqual([]);
  });
});
