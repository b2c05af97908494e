import './helpers/timeout.js';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { cleanUpAfterFile, temporaryDirectory } from '../helpers/cleanup.js';
import { aSchemaName, dropSchema, openPool } from '../helpers/postgres.js';
import { PGLITE_LIBRARIES, SERVER_LIBRARIES } from '../helpers/postgres-libraries.js';
import { describeWithService } from '../helpers/services.js';
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

function itHasItsEffectOnce(
  makeShops: () => readonly LibraryShop[],
  libraries: readonly string[],
  points = POINTS,
) {
  let retryAfter: Awaited<ReturnType<typeof crash<LibraryShop>>>;

  beforeAll(async () => {
    retryAfter = await crash(makeShops());
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

/** Each library at each point. */
function shopsOf(
  libraries: readonly string[],
  points: readonly Point[],
  locationOf: (library: string, point: Point) => StorageLocation,
): LibraryShop[] {
  return libraries.flatMap((library) =>
    points.map((point) => ({ library, point, location: locationOf(library, point) })),
  );
}

let directory: string;

beforeAll(async () => {
  directory = await temporaryDirectory();
});

describe('A handler with delivery.transaction, on SQLite', () => {
  // A process of its own for each point, since one of them stops the thread.
  describe.each(POINTS)('%s', (point) => {
    const locationOf = () => ({
      kind: 'sqlite' as const,
      file: join(directory, `${point}.db`),
      transaction: true as const,
    });
    itHasItsEffectOnce(() => shopsOf(['libsql'], [point], locationOf), ['libsql'], [point]);
  });
});

await describeWithService('postgres', 'A handler with delivery.transaction, on Postgres', (url) => {
  const libraries = Object.keys(SERVER_LIBRARIES);
  const locationOf = (library: string) => {
    const schema = aSchemaName();
    cleanUpAfterFile(async () => {
      const pool = openPool({ max: 1 });
      await dropSchema(pool, schema);
      await pool.end();
    });
    return { kind: 'postgres' as const, url, schema, library };
  };
  itHasItsEffectOnce(() => shopsOf(libraries, POINTS, locationOf), libraries);
});

describe('A handler with delivery.transaction, on PGlite', () => {
  const libraries = Object.keys(PGLITE_LIBRARIES);
  const points: readonly Point[] = ['before the record', 'after the commit'];
  const locationOf = (library: string, point: Point) => ({
    kind: 'pglite' as const,
    directory: join(directory, `${library} ${point}`),
    library,
  });
  itHasItsEffectOnce(() => shopsOf(libraries, points, locationOf), libraries, points);
});
