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
    expect(() => new PostgresInboxStore({ client, schema })).toThrow(ScalekitWebhooksConfigurationError);
    expect(() => postgresSchemaSql(schema)).toThrow(ScalekitWebhooksConfigurationError);
  });

  it.each(['scalekit_webhooks', 'Tenant_1', '_', 'x'.repeat(63)])('accept the schema name %j', (schema) => {
    expect(() => new PostgresInboxStore({ client, schema })).not.toThrow();
    expect(postgresSchemaSql(schema)).toContain(`"${schema}"."inbox_events"`);
  });

  it.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY])('reject retentionMs: %p', (retentionMs) => {
    expect(() => new PostgresInboxStore({ client, retentionMs })).toThrow('retentionMs');
  });

  it.each([undefined, null, {}, { query: 'text' }, 'postgres://'])('reject the client %j', (value) => {
    const options = { client: value };
    // @ts-expect-error JavaScript code can pass anything
    expect(() => new PostgresInboxStore(options)).toThrow('query(text, values)');
  });
});
