import { Queue } from 'bullmq';
import { BullMqTransport } from 'nestjs-scalekit-webhooks/bullmq';

/** Where a shop has its queue. It can be passed to another process. */
export interface QueueLocation {
  readonly url: string;
  readonly prefix: string;
  /** Whether the process also works on the queue. */
  readonly worker: boolean;
}

/** The intervals are short, so that the jobs of a killed worker are soon taken over. */
export function openQueue(location: QueueLocation): { queue: Queue; transport: BullMqTransport } {
  const { url, prefix, worker } = location;
  const queue = new Queue('scalekit', { connection: { url }, prefix });
  queue.on('error', () => {});
  const transport = new BullMqTransport({
    queue,
    worker: worker && { concurrency: 2, lockDuration: 1000, stalledInterval: 200 },
  });
  return { queue, transport };
}
