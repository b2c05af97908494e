import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, it } from '@jest/globals';
import { SERVICES, type Service, serviceUrl } from './service-url.js';

const DEFAULT_PORTS: Readonly<Record<Service, number>> = { postgres: 5432, redis: 6379 };
const CONNECT_TIMEOUT_MS = 2000;

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

/**
 * A `describe` on a real service, to be awaited at the top of a spec file. Where the service cannot be reached the suite
 * is left out with one line, and with `CI=true` it fails.
 */
export async function describeWithService(
  service: Service,
  suite: string,
  body: (url: string) => void,
): Promise<void> {
  const { label, variable } = SERVICES[service];
  const { host } = new URL(serviceUrl(service));
  if (await isReachable(service)) {
    describe(suite, () => body(serviceUrl(service)));
    return;
  }
  const hint = `${label} cannot be reached at ${host}: start it, or set ${variable}`;
  if (process.env.CI === 'true') {
    it(`${suite} runs on ${label}`, () => {
      throw new Error(hint);
    });
    return;
  }
  process.stderr.write(`Left out: ${suite}. ${hint}.\n`);
  describe.skip(suite, () => {
    it(`is left out: ${hint}`, () => {});
  });
}
