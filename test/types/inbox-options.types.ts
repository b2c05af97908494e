// Compiled by `npm run check`, never executed.
import { isKnownScalekitEvent } from 'nestjs-scalekit-webhooks';
import { PostgresInboxStore } from 'nestjs-scalekit-webhooks/postgres';
import { RedisInboxStore } from 'nestjs-scalekit-webhooks/redis';
import { SqliteInboxStore } from 'nestjs-scalekit-webhooks/sqlite';

declare const client: never;

new PostgresInboxStore({ client, application: 'a', redact: (event) => event });
new RedisInboxStore({ client, application: 'a', redact: (event) => ({ ...event, data: {} }) });
new SqliteInboxStore({
  database: client,
  redact(event) {
    if (!isKnownScalekitEvent(event) || event.type !== 'user.created') return event;
    const { user, ...others } = event.data;
    return { ...event, data: { ...others, user: { id: user?.id } } };
  },
});

// @ts-expect-error: it cannot be asynchronous
new SqliteInboxStore({ database: client, redact: async (event) => event });
// @ts-expect-error: it has to return the event
new SqliteInboxStore({ database: client, redact: () => {} });
// @ts-expect-error: an event without its data is no event
new SqliteInboxStore({ database: client, redact: ({ data, ...event }) => event });
// @ts-expect-error: there is no such way to keep payloads
new SqliteInboxStore({ database: client, payloads: 'none' });
