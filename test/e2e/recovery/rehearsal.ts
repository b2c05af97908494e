import {
  createScalekitEvent,
  type ListeningEventsApi,
  ScalekitDeliverySimulator,
  SimulatedEventsApi,
} from 'nestjs-scalekit-webhooks/testing';
import { cleanUpAfterTest } from '../../helpers/cleanup.js';
import { freePort } from '../../helpers/free-port.js';
import { SECRET } from '../../helpers/secrets.js';
import { TypeScriptProcess } from '../../helpers/typescript-process.js';
import { until } from '../../helpers/until.js';
import { openRecoveryStorage, type RecoveryStorage, type StorageKind } from './recovery-storage.js';

/** How handlers run: in the request, or by workers of the inbox, which keep `order: 'entity'`. */
export type Transport = 'request' | 'workers';

const FULL_SIZE = process.env.RECOVERY_EVENTS;
/** `RECOVERY_EVENTS=8000` makes it as large as a real outage. Of each eight events, five never arrive by webhook. */
export const EVENTS = Number(FULL_SIZE ?? 160);
export const LOST = (EVENTS * 5) / 8;
/** How often processes are killed while they recover. */
export const KILLS = FULL_SIZE ? 5 : 2;
// On a busy machine, each start of a process takes ten seconds.
export const LIMIT_MS = 180_000 + EVENTS * 100;

const MAIN = new URL('./recovering.main.ts', import.meta.url);
const HOUR = 3_600_000;
const USERS = 40;
const BEFORE = (EVENTS * 1.5) / 8;
// They are patient with an application that starts and is killed.
const RETRIES = Array.from({ length: 1000 }, () => 100);

type RehearsedEvent = ReturnType<typeof eventsOfTwoDays>[number];

/** What a handler did in a rehearsal, in the order of the effects. */
export interface Rehearsed {
  readonly effects: readonly RehearsedEvent[];
  /** The ids of the events that Scalekit gave up. */
  readonly lost: ReadonlySet<string>;
}

/** Oldest first. Some have the same time. Those after the outage begin an hour after it: longer than retries take. */
function eventsOfTwoDays() {
  const start = Date.now() - 48 * HOUR;
  const step = (45 * HOUR) / EVENTS;
  return Array.from({ length: EVENTS }, (_, index) => {
    const at = start + (index - (index % 3)) * step + (index < BEFORE + LOST ? 0 : HOUR);
    const user = { id: `usr_${Math.floor(index / 2) % USERS}` };
    const occurred_at = new Date(at).toISOString();
    return createScalekitEvent('user.updated', { id: `evt_${index}`, occurred_at, data: { user } });
  });
}

/** Two processes of one application, each with its own port. */
class Fleet {
  readonly #running = new Map<number, TypeScriptProcess>();

  private constructor(
    private readonly settings: object,
    readonly ports: readonly number[],
  ) {}

  static async of(settings: object): Promise<Fleet> {
    return new Fleet(settings, [await freePort(), await freePort()]);
  }

  get urls(): string[] {
    return this.ports.map((port) => `http://127.0.0.1:${port}/webhooks/scalekit`);
  }

  /** Starts those that are not running, at once. Resolves when they listen, or were killed before. */
  async start(ports = this.ports, settings: object = {}): Promise<void> {
    const started = ports.map(async (port) => {
      if (this.#running.has(port)) return;
      const process = new TypeScriptProcess(MAIN, JSON.stringify({ ...this.settings, ...settings, port }));
      cleanUpAfterTest(() => process.kill());
      this.#running.set(port, process);
      await process.line().catch((error) => {
        if (this.#running.get(port) === process) throw error;
      });
    });
    await Promise.all(started);
  }

  /** Kills one process, or all. */
  async kill(pid?: string): Promise<void> {
    for (const [port, process] of [...this.#running]) {
      if (pid !== undefined && String(process.pid) !== pid) continue;
      this.#running.delete(port);
      await process.kill();
    }
  }
}

/**
 * An application is down for so long that Scalekit gives up five of eight events. When it starts again, two processes begin to
 * recover at once, are killed again and again, and get deliveries meanwhile.
 */
export async function rehearse(kind: StorageKind, transport: Transport, name: string): Promise<Rehearsed> {
  process.env.TEST_PROCESS_LIFETIME_MS = String(LIMIT_MS);
  const storage = await openRecoveryStorage(kind, name);
  cleanUpAfterTest(() => storage.close());
  const api = new SimulatedEventsApi();
  const { close, ...listening }: ListeningEventsApi = await api.listen();
  cleanUpAfterTest(close);
  const fleet = await Fleet.of({ kind, transport, name, api: listening, handlerMs: FULL_SIZE ? 3 : 20 });
  const events = eventsOfTwoDays();
  const lost = await sufferOutage(fleet, storage, events);

  api.add(...events);
  api.failNext('unavailable', 'invalid_page_token', 'resource_exhausted');
  const killed = recoverInSpiteOfKills(fleet, storage, transport, lost);
  const arrived = deliverMeanwhile(fleet, events.slice(BEFORE + LOST));
  await Promise.all([killed, arrived]);
  await until(
    () => storage.inbox.count({ state: 'done' }),
    (done) => done === EVENTS,
    LIMIT_MS,
  );
  const byId = new Map(events.map((event) => [event.id, event]));
  const effects = (await storage.effects()).flatMap(({ eventId }) => byId.get(eventId) ?? []);
  if (FULL_SIZE) {
    const summary = `${lost.size} of ${EVENTS} events lost, ${KILLS} kills, ${effects.length} effects`;
    process.stdout.write(`${kind}, ${transport}: ${summary}, ${new Set(effects).size} events handled\n`);
  }
  return { effects, lost };
}

/** @returns the ids of the events that Scalekit gave up */
async function sufferOutage(fleet: Fleet, storage: RecoveryStorage, events: readonly RehearsedEvent[]) {
  await fleet.start(fleet.ports.slice(0, 1), { recovers: false });
  const [first, last] = [events[BEFORE], events[BEFORE + LOST - 1]].map((event) =>
    Date.parse(event?.occurred_at ?? ''),
  );
  const scalekit = new ScalekitDeliverySimulator({
    urls: fleet.urls.slice(0, 1),
    secrets: SECRET,
    timeScale: 1_000_000,
    outage: { from: new Date(first ?? 0), until: new Date((last ?? 0) + HOUR) },
  });
  const sent = await scalekit.send(events.slice(0, BEFORE + LOST));
  await until(
    () => storage.inbox.count({ state: 'done' }),
    (done) => done === BEFORE,
    LIMIT_MS,
  );
  await fleet.kill();
  return new Set(sent.events.filter(({ state }) => state === 'given_up').map(({ id }) => id));
}

async function recoverInSpiteOfKills(
  fleet: Fleet,
  storage: RecoveryStorage,
  transport: Transport,
  lost: ReadonlySet<string>,
): Promise<void> {
  const starts = [fleet.start()];
  for (let kill = 1; kill <= KILLS; kill += 1) {
    const due = BEFORE + (LOST * kill) / (KILLS + 2);
    const known = await until(
      () => storage.inbox.count(),
      (count) => count >= due,
      LIMIT_MS,
    );
    // Otherwise, the recovery may be over, and the rehearsal worth nothing.
    if (known >= BEFORE + LOST) throw new Error(`Kill ${kill} comes too late: the inbox has ${known} events`);
    // In the request, the process that recovers is the one that had the last effect, and the other one takes over. With
    // workers, nothing tells which one it is.
    await fleet.kill(transport === 'request' ? await lastToHandle(storage, lost) : undefined);
    await storage.endLease();
    starts.push(fleet.start());
  }
  await Promise.all(starts);
}

/** Delivers what happened after the outage, one event at a time, while the application recovers and is killed. */
async function deliverMeanwhile(fleet: Fleet, events: readonly RehearsedEvent[]): Promise<void> {
  const testIsOver = new AbortController();
  cleanUpAfterTest(() => testIsOver.abort());
  const scalekit = new ScalekitDeliverySimulator({
    urls: fleet.urls,
    secrets: SECRET,
    schedule: RETRIES,
    concurrency: 1,
  });
  const { totals } = await scalekit.send(events, { signal: testIsOver.signal });
  if (totals.acknowledged < events.length)
    throw new Error(`Only ${totals.acknowledged} events were delivered`);
}

async function lastToHandle(storage: RecoveryStorage, lost: ReadonlySet<string>): Promise<string> {
  return (await storage.effects()).findLast(({ eventId }) => lost.has(eventId))?.pid ?? '';
}
