import { randomUUID } from 'node:crypto';
import { Logger, run as runGraphileWorker, runMigrations } from 'graphile-worker';
import type { Pool } from 'pg';
import PgBoss from 'pg-boss';
import { InboxTransport } from '../../lib/index.js';
import { PostgresInboxStore } from '../../lib/postgres/index.js';
import { aSchemaName, dropSchema, openPool } from '../helpers/postgres.js';
import { serviceUrl } from '../helpers/service-url.js';
import { openDispatcher } from './dispatcher-app.js';
import { bodyOf } from './events.js';
import { onHandled, TYPICAL_TYPE } from './http/receiver.js';
import { median, type RoundOptions, significant, spread, times } from './measure.js';
import type { BenchTable, Figure, SectionResult } from './section.js';

// Of the complete bench. A shorter one works through fewer jobs.
const BACKLOG = 50_000;
const MANY_ROWS = 1_000_000;
const COMPLETE_ROUNDS = 40;
const FEW_ROWS = 1000;
const CONCURRENCY = 10;
const WORKER_ROUNDS = 3;
const TAKES = 50;

/** Background work on Postgres with empty handlers. */
export async function run({ rounds }: RoundOptions): Promise<SectionResult> {
  const share = Math.min(1, rounds / COMPLETE_ROUNDS) ** 2;
  const workers = await compareWorkers(Math.round(BACKLOG * share));
  const backlogs = await compareBacklogs(Math.round(MANY_ROWS * share));
  return { tables: [workers.table, backlogs.table], figures: [...workers.figures, backlogs.figure] };
}

/** Works through a backlog, and resolves to the number of jobs per second. */
type WorkThrough = (pool: Pool, schema: string, jobs: number) => Promise<number>;

const WORKERS: Readonly<Record<string, WorkThrough>> = {
  'ours, InboxTransport': workThroughInbox,
  'graphile-worker': workThroughGraphile,
  'pg-boss': workThroughPgBoss,
};

async function compareWorkers(jobs: number): Promise<{ table: BenchTable; figures: Figure[] }> {
  const rates = new Map<string, number[]>();
  for (let round = 0; round < WORKER_ROUNDS; round += 1) {
    for (const [name, workThrough] of Object.entries(WORKERS)) {
      const rate = await inSchema((pool, schema) => workThrough(pool, schema, jobs));
      rates.set(name, [...(rates.get(name) ?? []), rate]);
    }
  }
  const [[, ours = []] = [], ...others] = rates;
  const rows = [...rates].map(([name, ofName]) => [
    name,
    significant(median(ofName)),
    spread(ofName),
    times(median(ofName) / median(ours)),
  ]);
  return {
    table: {
      title: `Workers on Postgres, empty handlers, ${jobs} jobs, ${CONCURRENCY} at once`,
      columns: ['worker', 'jobs/s', 'spread', 'to ours'],
      rows,
    },
    figures: others.map(([name, theirs]) => ({
      name: `worker, InboxTransport relative to ${name}`,
      measured: median(ours) / median(theirs),
      atLeast: 1,
    })),
  };
}

async function workThroughInbox(pool: Pool, schema: string, jobs: number): Promise<number> {
  const inbox = new PostgresInboxStore({ client: pool, application: 'bench', schema });
  await inbox.migrate();
  await fillInbox(pool, schema, jobs);
  const rate = rateOf(jobs);
  onHandled(rate.handled);
  const transport = new InboxTransport({ worker: { concurrency: CONCURRENCY } });
  const app = await openDispatcher({ inbox, transport });
  const perSecond = await rate.measured;
  await app.close();
  return perSecond;
}

async function workThroughGraphile(pool: Pool, schema: string, jobs: number): Promise<number> {
  const options = { connectionString: serviceUrl('postgres'), schema, noHandleSignals: true };
  await runMigrations(options);
  await pool.query(
    `SELECT count("${schema}".add_job('handle', payload := json_build_object('id', number)))
     FROM generate_series(1, $1) AS number`,
    [jobs],
  );
  const rate = rateOf(jobs);
  const runner = await runGraphileWorker({
    ...options,
    concurrency: CONCURRENCY,
    maxPoolSize: CONCURRENCY,
    // By default, it writes a line for each job.
    logger: new Logger(() => () => {}),
    taskList: { handle: async () => rate.handled() },
  });
  const perSecond = await rate.measured;
  await runner.stop();
  return perSecond;
}

async function workThroughPgBoss(_pool: Pool, schema: string, jobs: number): Promise<number> {
  const boss = new PgBoss({ connectionString: serviceUrl('postgres'), schema, max: CONCURRENCY });
  await boss.start();
  await boss.createQueue('handle');
  await boss.insert(Array.from({ length: jobs }, (_, id) => ({ name: 'handle', data: { id } })));
  const rate = rateOf(jobs);
  let worker = '';
  worker = await boss.work(
    'handle',
    { batchSize: CONCURRENCY, pollingIntervalSeconds: 0.5 },
    async (batch) => {
      for (const _ of batch) rate.handled();
      // Otherwise it would wait for its interval after each batch.
      boss.notifyWorker(worker);
    },
  );
  const perSecond = await rate.measured;
  await boss.stop({ graceful: true, wait: true });
  return perSecond;
}

/** Jobs per second, from the first one that was handled to the last one. */
function rateOf(jobs: number): { handled(): void; readonly measured: Promise<number> } {
  const { promise, resolve } = withResolver<number>();
  let handled = 0;
  let firstAt = 0;
  return {
    measured: promise,
    handled() {
      handled += 1;
      firstAt ||= performance.now();
      if (handled === jobs) resolve(((jobs - 1) * 1000) / (performance.now() - firstAt));
    },
  };
}

function withResolver<T>(): { promise: Promise<T>; resolve(value: T): void } {
  let resolve: (value: T) => void = () => {};
  const promise = new Promise<T>((resolvePromise) => {
    resolve = resolvePromise;
  });
  return { promise, resolve };
}

/** Whether taking a batch takes longer if more runs wait. */
async function compareBacklogs(many: number): Promise<{ table: BenchTable; figure: Figure }> {
  const few = await takingTimes(FEW_ROWS);
  const most = await takingTimes(many);
  const growth = median(most) / median(few);
  const row = (rows: number, ms: readonly number[]) => [String(rows), significant(median(ms)), spread(ms)];
  return {
    table: {
      title: `Taking ${CONCURRENCY} runs from Postgres`,
      columns: ['runs that are due', 'ms', 'spread'],
      rows: [row(FEW_ROWS, few), row(many, most)],
    },
    figure: {
      name: `worker, backlog of ${many} runs relative to ${FEW_ROWS}, time to take a batch`,
      measured: growth,
      atMost: 1.3,
    },
  };
}

function takingTimes(rows: number): Promise<number[]> {
  return inSchema(async (pool, schema) => {
    const inbox = new PostgresInboxStore({ client: pool, application: 'bench', schema });
    await inbox.migrate();
    await fillInbox(pool, schema, rows);
    const ms: number[] = [];
    for (let take = 0; take < TAKES; take += 1) {
      const lease = { token: randomUUID(), durationMs: 60_000 };
      const request = { endpoint: 'default', handlerIds: [HANDLER_ID], limit: CONCURRENCY, lease };
      const startedAt = performance.now();
      const { runs } = await inbox.takeDue(request);
      ms.push(performance.now() - startedAt);
      if (runs.length !== CONCURRENCY) throw new Error(`It took ${runs.length} runs`);
    }
    return ms;
  });
}

const HANDLER_ID = 'TypicalHandler.handle';

/** Records events whose runs are due. */
async function fillInbox(pool: Pool, schema: string, count: number): Promise<void> {
  const template = bodyOf(TYPICAL_TYPE).toString();
  const { id }: { id: string } = JSON.parse(template);
  await pool.query(
    `INSERT INTO "${schema}".inbox_events (application, endpoint, event_id, type, occurred_at, payload)
     SELECT 'bench', 'default', 'evt_' || number, $1, '', convert_to(replace($2, $3, 'evt_' || number), 'UTF8')
     FROM generate_series(1, $4::integer) AS number`,
    [TYPICAL_TYPE, template, id, count],
  );
  await pool.query(
    `INSERT INTO "${schema}".inbox_runs (application, endpoint, event_id, seq, handler_id, state, attempts, updated_at, due_at)
     SELECT application, endpoint, event_id, seq, $1, 'queued', 0, now(), now() FROM "${schema}".inbox_events`,
    [HANDLER_ID],
  );
  await pool.query(`ANALYZE "${schema}".inbox_events, "${schema}".inbox_runs`);
}

async function inSchema<T>(work: (pool: Pool, schema: string) => Promise<T>): Promise<T> {
  const schema = aSchemaName();
  const pool = openPool();
  try {
    return await work(pool, schema);
  } finally {
    await dropSchema(pool, schema);
    await pool.end();
  }
}
