import { Queue } from 'bullmq';
import { BullMqTransport } from 'nestjs-scalekit-webhooks/bullmq';

/** Which queue, in a form that a process can be told. */
export interface QueuePlace {
  readonly url: string;
  readonly prefix: string;
  /** Whether the process works on the queue as well. */
  readonly worker: boolean;
}

/** Opens a queue, as each process does for itself. Jobs of a worker that was killed are noticed quickly. */
export function openQueue({ url, prefix, worker }: QueuePlace): { queue: Queue; transport: BullMqTransport } {
  const queue = new Queue('scalekit', { connection: { url }, prefix });
  queue.on('error', () => {});
  const transport = new BullMqTransport({
    queue,
    worker: worker && { concurrency: 2, lockDuration: 1000, stalledInterval: 200 },
  });
  return { queue, transport };
}
