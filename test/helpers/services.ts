import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { connect } from 'node:net';
import { describe, it } from '@jest/globals';
import type { FoundLibrary } from './libraries.js';
import { isMariaDbInstalled } from './mariadb-server.js';
import { isPostgresInstalled } from './postgres-server.js';
import { isRedisInstalled } from './redis-server.js';
import { SERVICES, type Service, serviceUrl } from './service-url.js';

const DEFAULT_PORTS: Readonly<Record<Service, number>> = { postgres: 5432, redis: 6379 };
const SERVERS = {
  mariadb: { label: 'MariaDB', isInstalled: isMariaDbInstalled },
  postgres: { label: 'Postgres', isInstalled: isPostgresInstalled },
  redis: { label: 'Redis', isInstalled: isRedisInstalled },
} as const;
const CONNECT_TIMEOUT_MS = 2000;
const IS_CI = process.env.CI === 'true';

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

/**
 * A `describe` whose tests start servers of their own. If they are not installed, it is skipped, or fails if `CI=true`. Only
 * MariaDB is never required: it is what no inbox can use.
 */
export function describeWithServers(server: keyof typeof SERVERS, suite: string, body: () => void): void {
  const { label, isInstalled } = SERVERS[server];
  if (isInstalled()) describe(suite, body);
  else reportMissing(suite, `${label} is not installed`, IS_CI && server !== 'mariadb');
}

/**
 * A `describe` whose tests drive Chromium, at `CHROMIUM_PATH`. If it is not there, the suite is skipped, or fails if `CI=true`
 * and the variable is set.
 */
export function describeWithChromium(suite: string, body: (executablePath: string) => void): void {
  const { CHROMIUM_PATH } = process.env;
  const path = CHROMIUM_PATH || '/usr/bin/chromium';
  if (existsSync(path)) describe(suite, () => body(path));
  else reportMissing(suite, `There is no Chromium at ${path}. Set CHROMIUM_PATH`, IS_CI && !!CHROMIUM_PATH);
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

/**
 * The libraries of a table that are installed, with what opens them. For each other one, a suite is skipped with a message,
 * or fails if `CI=true` and the library could be installed.
 *
 * @param suite what is tested with each library
 */
export function installedOf<Open>(
  suite: string,
  libraries: Readonly<Record<string, FoundLibrary<Open>>>,
): [string, Open][] {
  return Object.entries(libraries).flatMap(([name, library]): [string, Open][] => {
    if ('open' in library) return [[name, library.open]];
    reportMissing(`${suite} with ${name}`, library.hint, !library.isImpossible && IS_CI);
    return [];
  });
}

function describeIf(isAvailable: boolean, hint: string, suite: string, body: () => void): void {
  if (isAvailable) describe(suite, body);
  else reportMissing(suite, hint, IS_CI);
}

function reportMissing(suite: string, hint: string, isFailure: boolean): void {
  if (isFailure) {
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
