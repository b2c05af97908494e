// The tasks that a process of its own does on an inbox file. See sqlite-processes.ts.
import { once } from 'node:events';
import Database from 'libsql';
import { SqliteInboxStore } from '../../lib/sqlite/index.js';
import { aLease, anEvent } from '../conformance/inbox-store.harness.js';

const HANDLERS = ['A.run', 'B.run'];
const [task = '', file = '', parameter = ''] = process.argv.slice(3);
const database = new Database(file);

const tasks: Record<string, () => Promise<void>> = {
  /**
   * Claims and settles `count` events, beginning with the one at `first`. It waits before the first event, and again before
   * the others, so that all processes work at the same time. Prints what it claimed.
   */
  async claimAll() {
    const [count = 0, first = 0] = parameter.split(' ').map(Number);
    const events = Array.from({ length: count }, (_, number) => anEvent({ eventId: `evt_${number}` }));
    const waiting = [...events.slice(first), ...events.slice(0, first)];
    await untilTold();
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
    await untilTold();
    const lanes = Array.from({ length: 5 }, async () => {
      while (await handleNext());
    });
    await Promise.all(lanes);
    console.log(JSON.stringify(claimed));
  },

  /** Claims an event, and waits to be killed. */
  async claimOne() {
    await new SqliteInboxStore({ database }).claim(anEvent({ eventId: parameter }), HANDLERS, aLease());
    await untilTold();
  },

  /** Writes an effect and completes its run in one transaction, and waits to be killed before the commit. */
  async completeOne() {
    const store = new SqliteInboxStore({ database });
    const event = anEvent({ eventId: parameter });
    const lease = aLease();
    await store.claim(event, HANDLERS, lease);
    database.exec('BEGIN IMMEDIATE');
    database.prepare('INSERT INTO effects (event_id) VALUES (?)').run(event.eventId);
    await store.complete(database, event, 'A.run', lease);
    await untilTold();
  },
};

/** Says that it is ready, and waits. */
async function untilTold(): Promise<void> {
  console.log('ready');
  await once(process.stdin, 'data');
}

await tasks[task]?.();
process.exit();
