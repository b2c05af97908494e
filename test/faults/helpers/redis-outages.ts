import { Redis } from 'ioredis';
import { cleanUpAfterTest } from '../../helpers/cleanup.js';
import type { RedisServer } from '../../helpers/redis-server.js';

/** The ways in which a Redis server can fail without ending. Each one returns a function that repairs it. */
export async function redisOutages({ port }: RedisServer) {
  const admin = new Redis(port, '127.0.0.1', { retryStrategy: () => 20 });
  admin.on('error', () => {});
  cleanUpAfterTest(() => admin.disconnect());
  const pid = Number(/process_id:(\d+)/.exec(await admin.info('server'))?.[1]);
  return {
    /** It keeps its connections, but does not respond. */
    hang(): () => void {
      process.kill(pid, 'SIGSTOP');
      const resume = () => process.kill(pid, 'SIGCONT');
      cleanUpAfterTest(resume);
      return resume;
    },
    /** It has no memory left for anything new. */
    async fill(): Promise<() => Promise<unknown>> {
      await admin.config('SET', 'maxmemory', '1', 'maxmemory-policy', 'noeviction');
      return () => admin.config('SET', 'maxmemory', '0');
    },
  };
}
