import type { INestApplication } from '@nestjs/common';
import { ExpressAdapter } from '@nestjs/platform-express';
import { cleanUpAfterTest } from './cleanup.js';
import { startApp } from './test-app.js';

/** Closes an application when the test ends. */
export function closeAfterTest<T extends INestApplication>(app: T): T {
  cleanUpAfterTest(() => app.close());
  return app;
}

/** Like {@link startApp}. The application is closed when the test ends. */
export async function run(...args: Parameters<typeof startApp>): Promise<INestApplication> {
  return closeAfterTest(await startApp(...args));
}

/** Like {@link run}, for tests in which the platform makes no difference. */
export async function runOnExpress(
  metadata: Parameters<typeof startApp>[1],
  configure?: Parameters<typeof startApp>[2],
  options?: Parameters<typeof startApp>[3],
): Promise<INestApplication> {
  return run(() => new ExpressAdapter(), metadata, configure, options);
}
