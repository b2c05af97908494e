import { describe, expect, it } from '@jest/globals';
import { ScalekitWebhooksConfigurationError } from 'nestjs-scalekit-webhooks';
import {
  PostgresInboxStore,
  type PostgresQueryable,
  postgresSchemaSql,
} from '../../../lib/postgres/index.js';

const client: PostgresQueryable = { query: async () => ({ rows: [] }) };

describe('The options of PostgresInboxStore', () => {
  it.each([
    '',
    'a"b',
    "a'b",
    'a.b',
    'a b',
    '1a',
    'a;DROP SCHEMA public',
    'a$migration$b',
    'ä',
    'a\u0000',
    'x'.repeat(64),
  ])('reject the schema name %j', (schema) => {
    expect(() => new PostgresInboxStore({ client, application: 'test', schema })).toThrow(
      ScalekitWebhooksConfigurationError,
    );
    expect(() => postgresSchemaSql({ application: 'test', schema })).toThrow(
      ScalekitWebhooksConfigurationError,
    );
  });

  it.each(['scalekit_webhooks', 'Tenant_1', '_', 'x'.repeat(63)])('accept the schema name %j', (schema) => {
    expect(() => new PostgresInboxStore({ client, application: 'test', schema })).not.toThrow();
    expect(postgresSchemaSql({ application: 'test', schema })).toContain(`"${schema}"."inbox_events"`);
  });

  it('require an application, and say why and what to write', () => {
    // @ts-expect-error the option is missing
    expect(() => new PostgresInboxStore({ client })).toThrow(
      /^application is required\..*keep their events separate\..*application: 'billing'/,
    );
    // @ts-expect-error the option is missing
    expect(() => postgresSchemaSql({})).toThrow('application is required');
  });

  it.each(['', ' ', 'a b', "a'b", 'a/b', 'a:b', 'a{b}', 'ä', 'a\n', 'x'.repeat(65), 42, null])(
    'reject the application %j',
    (application) => {
      expect(() => Reflect.construct(PostgresInboxStore, [{ client, application }])).toThrow(
        expect.objectContaining({ code: 'configuration_invalid', setting: 'application' }),
      );
    },
  );

  it.each(['billing', 'Billing_2.eu-west', '-', 'x'.repeat(64)])(
    'accept the application %j',
    (application) => {
      expect(new PostgresInboxStore({ client, application }).application).toBe(application);
    },
  );

  it.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY])('reject retentionMs: %p', (retentionMs) => {
    expect(() => new PostgresInboxStore({ client, application: 'test', retentionMs })).toThrow('retentionMs');
  });

  it.each([undefined, null, {}, { query: 'text' }, 'postgres://'])('reject the client %j', (value) => {
    const options = { client: value };
    // @ts-expect-error JavaScript code can pass anything
    expect(() => new PostgresInboxStore(options)).toThrow('query(text, values)');
  });
});
