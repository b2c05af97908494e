import { randomUUID } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import {
  createScalekitEvent,
  type ListeningEventsApi,
  SimulatedEventsApi,
  signWebhook,
} from 'nestjs-scalekit-webhooks/testing';
import { cleanUpAfterTest } from '../../helpers/cleanup.js';
import { aSchemaName, dropSchema, openPool } from '../../helpers/postgres.js';
import { keysBelow } from '../../helpers/redis-inbox.js';
import { SECRET } from '../../helpers/secrets.js';
import { describeWithService } from '../../helpers/services.js';
import { sqliteFile } from '../../helpers/sqlite-files.js';
import { TypeScriptProcess } from '../../helpers/typescript-process.js';
import { until } from '../../helpers/until.js';
import { openRecoveryStorage, type RecoveryStorage, type StorageKind } from './recovery-storage.js';

/** `RECOVERY_EVENTS=8000` makes it as large as a real outage. Of each eight events, five never arrive by webhook. */
const EVENTS = Number(process.env.RECOVERY_EVENTS ?? 240);
const LIMIT_MS = 60_000 + EVENTS * 100;
const KILLS = 5;
const MAIN = new URL('./recovering.main.ts', import.meta.url);

/** Events of the last two days, oldest first. Some have the same time, and some become visible late. */
function makeEvents() {
  const start = Date.now() - 48 * 3_600_000;
  return Array.from({ length: EVENTS }, (_, index) =>
    createScalekitEvent('user.created', {
      id: `evt_${index}`,
      occurred_at: new Date(start + (index - (index % 3)) * ((47 * 3_600_000) / EVENTS)).toISOString(),
    }),
  );
}

/** Two processes of one application. A process that is killed is replaced. */
class Fleet {
  readonly #processes: { readonly process: TypeScriptProcess; readonly url: string }[] = [];

  constructor(private readonly settings: object) {}

  async start(count: number): Promise<void> {
    const started = Array.from({ length: count }, async () => {
      const process = new TypeScriptProcess(MAIN, JSON.stringify(this.settings));
      cleanUpAfterTest(() => process.kill());
      this.#processes.push({ process, url: await process.line() });
    });
    await Promise.all(started);
  }

  async kill(pid: string): Promise<void> {
    const index = this.#processes.findIndex(({ process }) => String(process.pid) === pid);
    const [killed] = this.#processes.splice(index, 1);
    await killed?.process.kill();
  }

  /** Delivers an event as Scalekit does: again and again, until a process acknowledges it. */
  async deliver(event: object): Promise<void> {
    const body = JSON.stringify(event);
    await until(
      async () => {
        const headers = {
          'content-type': 'application/json',
          ...signWebhook({ payload: body, secret: SECRET }),
        };
        const { url } = this.#processes[0] ?? {};
        return fetch(`${url}/webhooks/scalekit`, { method: 'POST', body, headers }).then(
          ({ status }) => status,
          () => 0,
        );
      },
      (status) => status === 200 || status === 201,
    );
  }
}

/** Kills the process that recovers, five times, while it recovers. */
async function killFiveTimes(
  fleet: Fleet,
  storage: RecoveryStorage,
  lost: ReadonlySet<string>,
): Promise<void> {
  for (let kill = 1; kill <= KILLS; kill += 1) {
    const effects = await until(
      async () => (await storage.effects()).filter(({ eventId }) => lost.has(eventId)),
      ({ length }) => length >= (lost.size * kill) / (KILLS + 2),
      LIMIT_MS,
    );
    await fleet.kill(effects.at(-1)?.pid ?? '');
    await storage.endLease();
    await fleet.start(1);
  }
}

async function recoverAll(kind: StorageKind, name: string) {
  const storage = await openRecoveryStorage(kind, name);
  cleanUpAfterTest(() => storage.close());
  const api = new SimulatedEventsApi();
  const { close, ...listening }: ListeningEventsApi = await api.listen();
  cleanUpAfterTest(close);
  const events = makeEvents();
  const lost = events.filter((_, index) => index % 8 < 5);
  const arriving = events.filter((event) => !lost.includes(event));
  api.add(...events);
  api.failNext('unavailable', 'invalid_page_token', 'resource_exhausted');

  const fleet = new Fleet({ kind, name, api: listening });
  await fleet.start(2);
  const lostIds = new Set(lost.map(({ id }) => id));
  await Promise.all([
    killFiveTimes(fleet, storage, lostIds),
    (async () => {
      for (const event of arriving) await fleet.deliver(event);
    })(),
  ]);
  const effects = await until(
    () => storage.effects(),
    (all) => new Set(all.map(({ eventId }) => eventId)).size === EVENTS,
    LIMIT_MS,
  );
  return { effects: effects.map(({ eventId }) => eventId), lostIds };
}

/** The first effect of each of the events that were recovered. */
function orderOf(effects: readonly string[], lostIds: ReadonlySet<string>): number[] {
  return [...new Set(effects)].filter((id) => lostIds.has(id)).map((id) => Number(id.slice('evt_'.length)));
}

function expectOldestFirst(effects: readonly string[], lostIds: ReadonlySet<string>): void {
  // Those that happened at the same time have no order.
  const times = orderOf(effects, lostIds).map((index) => index - (index % 3));
  expect(times).toEqual([...times].sort((one, other) => one - other));
}

describe(`An outage in which 5 of 8 of ${EVENTS} events are lost, and five crashes during the recovery`, () => {
  it(
    'leaves each event handled exactly once on SQLite, oldest first',
    async () => {
      const { effects, lostIds } = await recoverAll('sqlite', await sqliteFile());

      expect(effects).toHaveLength(EVENTS);
      expectOldestFirst(effects, lostIds);
    },
    LIMIT_MS,
  );
});

await describeWithService('postgres', 'The same outage on Postgres', () => {
  it(
    'leaves each event handled exactly once, oldest first',
    async () => {
      const schema = aSchemaName();
      const pool = openPool({ max: 1 });
      cleanUpAfterTest(async () => {
        await dropSchema(pool, schema);
        await pool.end();
      });

      const { effects, lostIds } = await recoverAll('postgres', schema);

      expect(effects).toHaveLength(EVENTS);
      expectOldestFirst(effects, lostIds);
    },
    LIMIT_MS,
  );
});

await describeWithService('redis', 'The same outage on Redis', (url) => {
  it(
    'leaves each event handled, and repeats only what a crash interrupted',
    async () => {
      const keyPrefix = `test:${randomUUID()}`;
      const client = new Redis(url);
      cleanUpAfterTest(async () => {
        for (const key of await keysBelow(client, keyPrefix)) await client.del(key);
        await client.quit();
      });

      const { effects, lostIds } = await recoverAll('redis', keyPrefix);

      // Redis has no transactions: the recovered event and the delivery in progress may have had their effect.
      expect(effects.length - EVENTS).toBeLessThanOrEqual(2 * KILLS);
      expectOldestFirst(effects, lostIds);
    },
    LIMIT_MS,
  );
});
