import { Redis } from 'ioredis';
import type { RedisServer } from '../../helpers/redis-server.js';
import { undoAfterTest } from './tidy.js';

/** Makes a Redis server ail in the ways that one does, short of its end; each function gives the cure. */
export async function redisOutages({ port }: RedisServer) {
  const admin = new Redis(port, '127.0.0.1', { retryStrategy: () => 20 });
  admin.on('error', () => {});
  undoAfterTest(() => admin.disconnect());
  const pid = Number(/process_id:(\d+)/.exec(await admin.info('server'))?.[1]);
  return {
    /** It keeps its connections, and answers nobody. */
    hang(): () => void {
      process.kill(pid, 'SIGSTOP');
      const resume = () => process.kill(pid, 'SIGCONT');
      undoAfterTest(resume);
      return resume;
    },
    /** It has no memory left for anything new. */
    async fill(): Promise<() => Promise<unknown>> {
      await admin.config('SET', 'maxmemory', '1', 'maxmemory-policy', 'noeviction');
      return () => admin.config('SET', 'maxmemory', '0');
    },
  };
}
