import { randomUUID } from 'node:crypto';
import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import Database from 'libsql';
import type { InboxFilter } from '../../lib/inbox/inbox-queries.js';
import type { InboxStore } from '../../lib/index.js';
import { PostgresInboxStore } from '../../lib/postgres/index.js';
import { RedisInboxStore } from '../../lib/redis/index.js';
import { BUCKET } from '../../lib/redis/redis-inbox.index.js';
import { memberOf, RedisInboxKeys } from '../../lib/redis/redis-inbox.keys.js';
import { SqliteInboxStore } from '../../lib/sqlite/index.js';
import { aSchemaName, dropSchema, openPool } from '../helpers/postgres.js';
import { serviceUrl } from '../helpers/service-url.js';
import { dashboardPages } from './dashboard-pages.js';
import { bodyOf } from './events.js';
import { TYPICAL_TYPE } from './http/receiver.js';
import { median, type RoundOptions, times } from './measure.js';
import type { BenchTable, Figure, SectionResult } from './section.js';

// Of the complete bench. A shorter one fills the inboxes with fewer entries.
const MANY_ENTRIES = 1_000_000;
const COMPLETE_ROUNDS = 40;
const TAKES = 11;
const DAY_MS = 24 * 60 * 60 * 1000;
const SPAN_MS = 30 * DAY_MS;
const MOST_MS = 50;

/** An inbox with the entries, and how to remove it. */
interface FilledInbox {
  readonly store: InboxStore;
  close(): Promise<void>;
}

/** The first page of each filter, in inboxes of a million entries. */
export async function run({ rounds }: RoundOptions): Promise<SectionResult> {
  const entries = Math.round(MANY_ENTRIES * Math.min(1, rounds / COMPLETE_ROUNDS) ** 2);
  const endsAt = Date.now();
  const stores = { Postgres: filledPostgres, SQLite: filledSqlite, Redis: filledRedis };
  const asked = (process.env.BENCH_STORES ?? Object.keys(stores).join()).split(',');
  const tables: BenchTable[] = [];
  const figures: Figure[] = [];
  for (const [name, fill] of Object.entries(stores).filter(([one]) => asked.includes(one))) {
    const inbox = await fill(entries, endsAt);
    try {
      const { rows, slowestMs, searchMs } = await firstPages(inbox.store, filters(endsAt));
      const title = `First page of 50 of ${entries} entries, ${name}`;
      tables.push({ title, columns: ['filter', 'matches', 'ms', 'to unfiltered', 'ms to count'], rows });
      const pages = await dashboardPages(inbox.store);
      tables.push({
        title: `Pages of the dashboard, ${entries} entries, ${name}`,
        columns: ['page', 'first, ms', 'ms'],
        rows: pages.map(([page, first, ms]) => [page, first.toFixed(0), ms.toFixed(1)]),
      });
      figures.push({ name: `slowest first page, ${name}`, measured: slowestMs, atMost: MOST_MS, unit: 'ms' });
      figures.push({
        name: `text of an error of 1 % of the entries, ${name}`,
        measured: searchMs,
        atMost: MOST_MS,
        unit: 'ms',
      });
    } finally {
      await inbox.close();
    }
  }
  return { tables, figures };
}

/** What each filter matches: see {@link Entry}. `few` matches three entries at the end, `none` nothing. */
function filters(endsAt: number): Readonly<Record<string, InboxFilter>> {
  const at = (ms: number) => new Date(endsAt - ms);
  return {
    none: {},
    'type, a tenth': { type: 'user.updated' },
    'type, few': { type: 'role.deleted' },
    'type, none': { type: 'role.created' },
    'state done': { state: 'done' },
    'state failed, 1 %': { state: 'failed' },
    'state dead, 10': { state: 'dead' },
    'state queued, none': { state: 'queued' },
    'handler, all': { handler: 'Common.handle' },
    'handler, few': { handler: 'Rare.handle' },
    'handler, none': { handler: 'Other.handle' },
    'handler and dead, 10': { handler: 'Common.handle', state: 'dead' },
    'handler and failed, none': { handler: 'Rare.handle', state: 'failed' },
    'organization, 0.02 %': { organizationId: 'org_7' },
    'organization, few': { organizationId: 'org_rare' },
    'organization, none': { organizationId: 'org_none' },
    'organization and dead': { organizationId: 'org_rare', state: 'dead' },
    'entity, 10': { entity: 'user:usr_7' },
    'entity, few': { entity: 'user:usr_rare' },
    'entity, none': { entity: 'user:usr_none' },
    'received in an hour': { receivedAfter: at(15 * DAY_MS), receivedBefore: at(15 * DAY_MS - 3_600_000) },
    'received in the last minute': { receivedAfter: at(60_000) },
    'received later, none': { receivedAfter: at(-DAY_MS) },
    'received on a day, type': {
      type: 'user.updated',
      receivedAfter: at(2 * DAY_MS),
      receivedBefore: at(DAY_MS),
    },
    'received on a day, failed': {
      state: 'failed',
      receivedAfter: at(2 * DAY_MS),
      receivedBefore: at(DAY_MS),
    },
    'error, 1 %': { error: 'refused' },
    'error, 10': { error: 'TENANT' },
    'error, none': { error: 'no such text' },
  };
}

async function firstPages(
  store: InboxStore,
  filters: Readonly<Record<string, InboxFilter>>,
): Promise<{ rows: string[][]; slowestMs: number; searchMs: number }> {
  const timesOf = new Map<string, number[]>();
  for (let take = 0; take <= TAKES; take += 1) {
    for (const [name, filter] of Object.entries(filters)) {
      // As ScalekitInbox asks.
      const ms = await timeOf(() => store.list({ endpoint: 'default', ...filter }));
      // The first take of each is not counted.
      if (take > 0) timesOf.set(name, [...(timesOf.get(name) ?? []), ms]);
    }
  }
  const unfiltered = median(timesOf.get('none') ?? []);
  const rows: string[][] = [];
  for (const [name, filter] of Object.entries(filters)) {
    const ms = median(timesOf.get(name) ?? []);
    let count = 0;
    const countMs = await timeOf(async () => {
      count = await store.count({ endpoint: 'default', ...filter });
    });
    rows.push([name, String(count), ms.toFixed(1), times(ms / unfiltered), countMs.toFixed(0)]);
  }
  const slowest = (isOfErrors: boolean) => {
    const some = [...timesOf].filter(([name]) => name.startsWith('error') === isOfErrors);
    return Math.max(...some.map(([, ms]) => median(ms)));
  };
  return { rows, slowestMs: slowest(false), searchMs: slowest(true) };
}

async function timeOf(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}

/**
 * The entries as SQL, from their `number` of `last`: three at the end have a rare type, organization, entity and a second
 * handler; one in a hundred has failed, and the last ten are dead.
 */
const TYPES = [
  'user.created',
  'user.updated',
  'user.deleted',
  'organization.created',
  'organization.updated',
];
const sqlOf = (last: string) => {
  const isRare = `number > ${last} - 3`;
  const types = TYPES.map((type, index) => `WHEN ${index} THEN '${type}'`).join(' ');
  return {
    isRare,
    type: `CASE WHEN ${isRare} THEN 'role.deleted' ELSE CASE number % 10 ${types} ELSE 'user.login' END END`,
    organization: `CASE WHEN ${isRare} THEN 'org_rare' ELSE 'org_' || (number % 5000) END`,
    entity: `CASE WHEN ${isRare} THEN 'user:usr_rare' ELSE 'user:usr_' || (number % 100000) END`,
    state: `CASE WHEN number > ${last} - 10 THEN 'dead' WHEN number % 100 = 0 THEN 'failed' ELSE 'done' END`,
    error: (dead: string, failed: string) =>
      `CASE WHEN number > ${last} - 10 THEN '${dead}' WHEN number % 100 = 0 THEN '${failed}' END`,
  };
};

async function filledPostgres(entries: number, endsAt: number): Promise<FilledInbox> {
  const [schema, pool] = [aSchemaName(), openPool()];
  const store = new PostgresInboxStore({ client: pool, application: 'bench', schema });
  await store.migrate();
  const sql = sqlOf('$1::integer');
  await pool.query(
    `INSERT INTO "${schema}".inbox_events
       (application, endpoint, event_id, type, occurred_at, received_at, organization_id, entity, payload)
     SELECT 'bench', 'default', 'evt_' || number, ${sql.type}, '',
       to_timestamp(($2::float8 - ($1::integer - number) * ($3::float8 / $1::integer)) / 1000), ${sql.organization}, ${sql.entity},
       convert_to($4, 'UTF8')
     FROM generate_series(1, $1::integer) AS number`,
    [entries, endsAt, SPAN_MS, bodyOf(TYPICAL_TYPE).toString()],
  );
  await pool.query(
    `INSERT INTO "${schema}".inbox_runs
       (application, endpoint, event_id, seq, handler_id, state, attempts, updated_at, error_name, error_message)
     SELECT 'bench', 'default', 'evt_' || number, number, 'Common.handle', ${sql.state}, 1, now(),
       ${sql.error('Error', 'Error')}, ${sql.error('no tenant', 'connection refused')}
     FROM generate_series(1, $1::integer) AS number
     UNION ALL
     SELECT 'bench', 'default', 'evt_' || number, number, 'Rare.handle', 'done', 1, now(), NULL, NULL
     FROM generate_series(1, $1::integer) AS number WHERE ${sql.isRare}`,
    [entries],
  );
  // BENCH_ANALYZE=no shows that the plans do not depend on statistics.
  if (process.env.BENCH_ANALYZE !== 'no') {
    await pool.query(`VACUUM ANALYZE "${schema}".inbox_events`);
    await pool.query(`VACUUM ANALYZE "${schema}".inbox_runs`);
  }
  return {
    store,
    close: async () => {
      await dropSchema(pool, schema);
      await pool.end();
    },
  };
}

async function filledSqlite(entries: number, endsAt: number): Promise<FilledInbox> {
  const file = join(tmpdir(), `bench-${randomUUID()}.db`);
  const database = new Database(file);
  const store = new SqliteInboxStore({ database });
  await store.ping();
  const sql = sqlOf(String(entries));
  const numbers = (last: number) =>
    `WITH RECURSIVE numbers (number) AS (SELECT 1 UNION ALL SELECT number + 1 FROM numbers WHERE number < ${last})`;
  database.exec(`BEGIN;
    ${numbers(entries)} INSERT INTO scalekit_webhooks_events
      (endpoint, event_id, type, occurred_at, received_at, organization_id, entity)
    SELECT 'default', 'evt_' || number, ${sql.type}, '',
      ${endsAt} - CAST((${entries} - number) * ${SPAN_MS / entries} AS INTEGER), ${sql.organization}, ${sql.entity}
    FROM numbers ORDER BY number;
    ${numbers(entries)} INSERT INTO scalekit_webhooks_handlers
      (event_number, endpoint, handler_id, state, attempts, updated_at, error_name, error_message)
    SELECT number, 'default', 'Common.handle', ${sql.state}, 1, ${endsAt}, ${sql.error('Error', 'Error')},
      ${sql.error('no tenant', 'connection refused')} FROM numbers;
    ${numbers(entries)} INSERT INTO scalekit_webhooks_handlers
      (event_number, endpoint, handler_id, state, attempts, updated_at)
    SELECT number, 'default', 'Rare.handle', 'done', 1, ${endsAt} FROM numbers WHERE ${sql.isRare};
    COMMIT`);
  return {
    store,
    close: async () => {
      database.close();
      for (const end of ['', '-wal', '-shm']) rmSync(`${file}${end}`, { force: true });
    },
  };
}

// Writes what the store's scripts write. ARGV: the time to expire, then for each entry its name, its time in µs, type,
// organization, entity, the state of the common run, its error (JSON, or empty), and 'rare' for a second run, or nothing.
const FILL = `${BUCKET}
local hashes = 4 + #STATES
for i = 2, #ARGV, 8 do
  local member, receipt, type, organization, entity, state, failure, rare = unpack(ARGV, i, i + 7)
  local fields = {
    'type', type, 'occurredAt', '', 'receivedAt', receipt, 'organization', organization, 'entity', entity,
    'run:Common.handle', state .. ' 1 ' .. now .. ' 1'
  }
  local errors = failure ~= '' and { failure } or {}
  local codes = { codeOf('t', type), codeOf('o', organization), codeOf('e', entity), codeOf('h', 'Common.handle') }
  if failure ~= '' then
    fields[#fields + 1], fields[#fields + 2] = 'error:Common.handle', failure
    codes[#codes + 1] = codeOf(string.sub(state, 1, 1), 'Common.handle')
    for position, one in ipairs(STATES) do
      if one == state then redis.call('ZADD', KEYS[2 + position], receipt, member) end
    end
  end
  if rare ~= '' then
    fields[#fields + 1], fields[#fields + 2] = 'run:Rare.handle', 'done 1 ' .. now .. ' 2'
    codes[#codes + 1] = codeOf('h', 'Rare.handle')
  end
  hashes = hashes + 1
  redis.call('HSET', KEYS[hashes], unpack(fields))
  redis.call('ZADD', RECEIVED, receipt, member)
  redis.call('ZADD', EXPIRES, ARGV[1], member)
  relabel(member, labelOf(receipt, codes, errors))
end
return 1`;
const FILL_AT_ONCE = 200;

async function filledRedis(entries: number, endsAt: number): Promise<FilledInbox> {
  const client = new Redis(serviceUrl('redis'));
  const keyPrefix = `bench:${randomUUID()}`;
  const keys = new RedisInboxKeys(keyPrefix, 'bench');
  const buckets = new Map<
    string,
    { readonly keys: string[]; readonly names: string[]; readonly args: string[] }
  >();
  const expiresAt = String(endsAt + SPAN_MS);
  const flush = async ({ keys, names, args }: { keys: string[]; names: string[]; args: string[] }) => {
    const all = [...keys, ...names];
    await client.eval(FILL, all.length, ...all, expiresAt, ...args);
    names.length = 0;
    args.length = 0;
  };
  for (let number = 1; number <= entries; number += 1) {
    const key = { endpoint: 'default', eventId: `evt_${number}` };
    const ofEvent = keys.ofEvent(key);
    const [name = ''] = ofEvent.splice(-2);
    const bucket = buckets.get(ofEvent[0] ?? '') ?? { keys: ofEvent, names: [], args: [] };
    buckets.set(ofEvent[0] ?? '', bucket);
    bucket.names.push(name);
    bucket.args.push(...redisEntry(number, entries, memberOf(key), endsAt));
    if (bucket.names.length === FILL_AT_ONCE) await flush(bucket);
  }
  for (const bucket of buckets.values()) if (bucket.names.length > 0) await flush(bucket);
  return {
    store: new RedisInboxStore({ client, application: 'bench', keyPrefix }),
    close: async () => {
      for await (const found of client.scanStream({ match: `${keyPrefix}:*`, count: 5000 })) {
        if (found.length > 0) await client.unlink(...found);
      }
      client.disconnect();
    },
  };
}

function redisEntry(number: number, last: number, member: string, endsAt: number): string[] {
  const isRare = number > last - 3;
  const isDead = number > last - 10;
  const state = isDead ? 'dead' : number % 100 === 0 ? 'failed' : 'done';
  const message = isDead ? 'no tenant' : 'connection refused';
  return [
    member,
    String(Math.round((endsAt - (last - number) * (SPAN_MS / last)) * 1000)),
    isRare ? 'role.deleted' : (TYPES[number % 10] ?? 'user.login'),
    isRare ? 'org_rare' : `org_${number % 5000}`,
    isRare ? 'user:usr_rare' : `user:usr_${number % 100_000}`,
    state,
    state === 'done' ? '' : JSON.stringify({ name: 'Error', message }),
    isRare ? 'rare' : '',
  ];
}
