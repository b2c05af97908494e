import { afterEach } from '@jest/globals';
import type { INestApplication } from '@nestjs/common';
import { ExpressAdapter } from '@nestjs/platform-express';
import { startApp } from './test-app.js';

const running: INestApplication[] = [];

/** Has an application closed when the test that made it ends. */
export function closeAfterTest<T extends INestApplication>(app: T): T {
  running.push(app);
  return app;
}

/** {@link startApp}, closed when the test ends. */
export async function run(...args: Parameters<typeof startApp>): Promise<INestApplication> {
  return closeAfterTest(await startApp(...args));
}

/** {@link run} where the platform makes no difference. */
export async function runOnExpress(
  metadata: Parameters<typeof startApp>[1],
  configure?: Parameters<typeof startApp>[2],
  options?: Parameters<typeof startApp>[3],
): Promise<INestApplication> {
  return run(() => new ExpressAdapter(), metadata, configure, options);
}

afterEach(async () => {
  for (const app of running.splice(0)) await app.close();
});
