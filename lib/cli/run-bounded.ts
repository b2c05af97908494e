/** Runs a task `count` times, never more than `limit` at once. */
export async function runBounded(count: number, limit: number, task: () => Promise<void>): Promise<void> {
  let started = 0;
  const worker = async () => {
    while (started < count) {
      started += 1;
      await task();
    }
  };
  await Promise.all(Array.from({ length: Math.min(limit, count) }, worker));
}
