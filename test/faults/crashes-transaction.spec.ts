import './helpers/timeout.js';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { cleanUpAfterFile, temporaryDirectory } from '../helpers/cleanup.js';
import type { FoundLibrary } from '../helpers/libraries.js';
import { aSchemaName, dropSchema, openPool } from '../helpers/postgres.js';
import { PGLITE_LIBRARIES, SERVER_LIBRARIES } from '../helpers/postgres-libraries.js';
import { describeWithService, installedOf } from '../helpers/services.js';
import { SQLITE_DRIVERS } from '../helpers/sqlite-drivers.js';
import { crash, type DoomedShop } from './helpers/crashes.js';
import type { StorageLocation } from './helpers/shop-storage.js';

/** What a retry finds after a crash, and how often the handler with the transaction has run after it. */
const RECOVERIES = {
  'before the record': { finds: 'no effect, and runs the handler again', transactional: 2 },
  'between the record and the commit': { finds: 'no effect, and runs the handler again', transactional: 2 },
  'after the commit': { finds: 'the effect and the record', transactional: 1 },
} as const;

type Point = keyof typeof RECOVERIES;

const POINTS: readonly Point[] = [
  'before the record',
  'between the record and the commit',
  'after the commit',
];

interface LibraryShop extends DoomedShop {
  readonly point: Point;
  readonly library: string;
}

/** Crashes a process that has each library at each point. The points of a library are independent of the others. */
function itHasItsEffectOnce(
  libraries: readonly string[],
  locationOf: (library: string, point: Point) => StorageLocation,
  points = POINTS,
): void {
  let retryAfter: Awaited<ReturnType<typeof crash<LibraryShop>>>;

  beforeAll(async () => {
    const shops = libraries.flatMap((library) =>
      points.map((point) => ({ library, point, location: locationOf(library, point) })),
    );
    retryAfter = await crash(shops);
  });

  describe.each(libraries)('with %s', (library) => {
    it.each(points.map((point) => ({ point, ...RECOVERIES[point] })))(
      'a retry, after a crash $point, finds $finds',
      async ({ point, transactional }) => {
        const recovered = await retryAfter((shop) => shop.library === library && shop.point === point);

        expect(recovered).toEqual({ status: 201, plain: 2, transactional, effects: 1 });
      },
    );
  });
}

const installed = <Open>(libraries: Readonly<Record<string, FoundLibrary<Open>>>) =>
  installedOf('A handler with delivery.transaction', libraries).map(([name]) => name);

let directory: string;

beforeAll(async () => {
  directory = await temporaryDirectory();
});

describe('A handler with delivery.transaction, on SQLite', () => {
  const drivers = installed(SQLITE_DRIVERS);
  const locationOf = (driver: string, point: Point) => ({
    kind: 'sqlite' as const,
    file: join(directory, `${driver.replace(':', '-')} ${point}.db`),
    driver,
  });
  itHasItsEffectOnce(drivers, locationOf, ['before the record', 'after the commit']);
  // This stops the thread, so each driver has a process of its own.
  for (const driver of drivers) {
    itHasItsEffectOnce([driver], locationOf, ['between the record and the commit']);
  }
});

await describeWithService('postgres', 'A handler with delivery.transaction, on Postgres', (url) => {
  const locationOf = (library: string) => {
    const schema = aSchemaName();
    cleanUpAfterFile(async () => {
      const pool = openPool({ max: 1 });
      await dropSchema(pool, schema);
      await pool.end();
    });
    return { kind: 'postgres' as const, url, schema, library };
  };
  itHasItsEffectOnce(installed(SERVER_LIBRARIES), locationOf);
});

describe('A handler with delivery.transaction, on PGlite', () => {
  const locationOf = (library: string, point: Point) => ({
    kind: 'pglite' as const,
    directory: join(directory, `${library} ${point}`),
    library,
  });
  // A PGlite takes a while to start, so each library has a process of its own.
  for (const library of Object.keys(PGLITE_LIBRARIES)) itHasItsEffectOnce([library], locationOf);
});
