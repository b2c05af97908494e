import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, it } from '@jest/globals';
import { isPostgresInstalled } from './postgres-server.js';
import { isRedisInstalled } from './redis-server.js';
import { SERVICES, type Service, serviceUrl } from './service-url.js';

const DEFAULT_PORTS: Readonly<Record<Service, number>> = { postgres: 5432, redis: 6379 };
const CONNECT_TIMEOUT_MS = 2000;

/**
 * A `describe` that needs a running service. Await it at the top of a spec file. If the service cannot be reached, the
 * suite is skipped with a message, or fails if `CI=true`.
 */
export async function describeWithService(
  service: Service,
  suite: string,
  body: (url: string) => void,
): Promise<void> {
  const url = serviceUrl(service);
  const { label, variable } = SERVICES[service];
  const hint = `${label} cannot be reached at ${new URL(url).host}. Start it, or set ${variable}`;
  describeIf(await isReachable(service), hint, suite, () => body(url));
}

/** A `describe` whose tests start servers of their own. If they are not installed, it is skipped, or fails if `CI=true`. */
export function describeWithServers(service: Service, suite: string, body: () => void): void {
  const isInstalled = service === 'postgres' ? isPostgresInstalled() : isRedisInstalled();
  describeIf(isInstalled, `${SERVICES[service].label} is not installed`, suite, body);
}

/** Whether something listens at the service's URL. */
export async function isReachable(service: Service): Promise<boolean> {
  const { hostname, port } = new URL(serviceUrl(service));
  const socket = connect({ host: hostname, port: Number(port) || DEFAULT_PORTS[service] });
  try {
    await once(socket, 'connect', { signal: AbortSignal.timeout(CONNECT_TIMEOUT_MS) });
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

function describeIf(isAvailable: boolean, hint: string, suite: string, body: () => void): void {
  if (isAvailable) {
    describe(suite, body);
  } else if (process.env.CI === 'true') {
    it(suite, () => {
      throw new Error(hint);
    });
  } else {
    process.stderr.write(`Skipped: ${suite}. ${hint}.\n`);
    describe.skip(suite, () => {
      it(hint, () => {});
    });
  }
}
