// What a process of its own does on a ledger; see sqlite-processes.ts.
import { once } from 'node:events';
import Database from 'libsql';
import { SqliteInboxStore } from '../../lib/sqlite/index.js';
import { aLease, anEvent, numberedEvents } from './sqlite-events.js';

const HANDLERS = ['A.run', 'B.run'];
const [task = '', file = '', parameter = ''] = process.argv.slice(3);
const database = new Database(file);

const tasks: Record<string, () => Promise<void>> = {
  /**
   * Claims and settles so many events, from a place of its own on: the first alone, and when all processes have begun, the
   * others a few at a time. Prints what it was given.
   */
  async claimAll() {
    const [count = 0, first = 0] = parameter.split(' ').map(Number);
    const events = numberedEvents(count);
    const waiting = [...events.slice(first), ...events.slice(0, first)];
    await go();
    const store = new SqliteInboxStore({ database, busyTimeoutMs: 30_000 });
    const claimed: string[] = [];
    const handleNext = async () => {
      const event = waiting.shift();
      if (!event) return false;
      const lease = aLease();
      const claims = [...(await store.claim(event, HANDLERS, lease))];
      const given = claims.flatMap(([handlerId, { state }]) => (state === 'claimed' ? [handlerId] : []));
      claimed.push(...given.map((handlerId) => `${event.eventId} ${handlerId}`));
      const settlements = given.map((handlerId) => ({ handlerId, state: 'done' as const }));
      await store.settle(event, settlements, lease);
      return true;
    };
    await handleNext();
    await go();
    const lanes = Array.from({ length: 5 }, async () => {
      while (await handleNext());
    });
    await Promise.all(lanes);
    console.log(JSON.stringify(claimed));
  },

  /** Claims an event and waits for its end. */
  async claimOne() {
    await new SqliteInboxStore({ database }).claim(anEvent(parameter), HANDLERS, aLease());
    await go();
  },

  /** Claims an event, writes an effect and its record in one transaction, and waits for its end before the commit. */
  async completeOne() {
    const store = new SqliteInboxStore({ database });
    const event = anEvent(parameter);
    const lease = aLease();
    await store.claim(event, HANDLERS, lease);
    database.exec('BEGIN IMMEDIATE');
    database.prepare('INSERT INTO effects (event_id) VALUES (?)').run(event.eventId);
    await store.complete(database, event, 'A.run', lease);
    await go();
  },
};

/** Tells that it is ready, and waits. */
async function go(): Promise<void> {
  console.log('ready');
  await once(process.stdin, 'data');
}

await tasks[task]?.();
process.exit();
