import type { EventTransport, InboxStore } from 'nestjs-scalekit-webhooks';

/** The points at which a process can be held, in order to kill it there: between any two steps of a delivery or a job. */
export type HoldPoint =
  | 'before the claim'
  | 'after the claim'
  | 'before the effect'
  | 'before the record'
  | 'before the commit'
  | 'between the record and the commit'
  | 'after the commit'
  | 'before the settlement'
  | 'after the settlement'
  | 'before the queue has it'
  | 'after the queue has it';

/** Resolves at once, or never. */
export type Hold = (point: HoldPoint) => Promise<void>;

export const HOLD_NOWHERE: Hold = async () => {};

/** Holds before and after claims and settlements. Gives every claim a lease of `leaseMs`. */
export function holdInbox(inbox: InboxStore, hold: Hold, leaseMs: number): InboxStore {
  const [claim, settle] = [inbox.claim.bind(inbox), inbox.settle.bind(inbox)];
  inbox.claim = async (event, handlerIds, lease) => {
    await hold('before the claim');
    const claims = await claim(event, handlerIds, { ...lease, durationMs: leaseMs });
    await hold('after the claim');
    return claims;
  };
  inbox.settle = async (key, settlements, lease) => {
    await hold('before the settlement');
    const written = await settle(key, settlements, lease);
    await hold('after the settlement');
    return written;
  };
  return inbox;
}

/** Holds before and after a transport queues the runs of a delivery. */
export function holdTransport(transport: EventTransport, hold: Hold): EventTransport {
  const start = transport.start.bind(transport);
  transport.start = (batch) => {
    const starting = hold('before the queue has it').then(() => Promise.all(start(batch)));
    const started = starting.then(async (settlements) => {
      await hold('after the queue has it');
      return settlements;
    });
    return batch.runs.map(async (_run, position) => {
      const settlement = (await started)[position];
      if (!settlement) throw new Error('The transport returned too few settlements');
      return settlement;
    });
  };
  return transport;
}
