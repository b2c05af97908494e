import './helpers/timeout.js';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { cleanUpAfterFile, temporaryDirectory } from '../helpers/cleanup.js';
import { aSchemaName, dropSchema, openPool } from '../helpers/postgres.js';
import { describeWithService } from '../helpers/services.js';
import { crash, type DoomedShop, type KillPoint } from './helpers/crashes.js';
import type { StorageLocation } from './helpers/shop-storage.js';

/** What a retry finds after a crash, and how often each handler has run after it, the crash included. */
interface Recovery {
  readonly finds: string;
  readonly status: number;
  readonly plain: number;
  readonly transactional: number;
}

const RECOVERIES = {
  'before the claim': { finds: 'nothing', status: 201, plain: 1, transactional: 1 },
  'after the claim': { finds: 'claims whose lease must end', status: 201, plain: 1, transactional: 1 },
  'before the effect': { finds: 'claims, and no effects', status: 201, plain: 1, transactional: 1 },
  'before the commit': {
    finds: 'the transaction rolled back, and runs both handlers again',
    status: 201,
    plain: 2,
    transactional: 2,
  },
  'after the commit': {
    finds: 'the committed run done, and runs only the other handler',
    status: 201,
    plain: 2,
    transactional: 1,
  },
  'before the settlement': {
    finds: 'no record of the plain handler, and runs it again',
    status: 201,
    plain: 2,
    transactional: 1,
  },
  'after the settlement': {
    finds: 'every run done, and runs nothing',
    status: 200,
    plain: 1,
    transactional: 1,
  },
  'after the response': {
    finds: 'every run done, and runs nothing',
    status: 200,
    plain: 1,
    transactional: 1,
  },
} satisfies Partial<Record<KillPoint, Recovery>>;

type Point = keyof typeof RECOVERIES;

function itRecovers(
  points: readonly Point[],
  locationOf: (point: Point) => StorageLocation,
  { transactions = true } = {},
): void {
  let retryAfter: Awaited<ReturnType<typeof crash<DoomedShop>>>;

  beforeAll(async () => {
    retryAfter = await crash(points.map((point) => ({ point, location: locationOf(point) })));
  });

  it.each(points.map((point) => ({ point, ...RECOVERIES[point] })))(
    'a retry, after a crash $point, finds $finds',
    async ({ point, status, plain, transactional }) => {
      const expected = { status, plain, ...(transactions && { transactional, effects: 1 }) };
      expect(await retryAfter((shop) => shop.point === point)).toEqual(expected);
    },
  );
}

describe('On SQLite', () => {
  let directory: string;

  beforeAll(async () => {
    directory = await temporaryDirectory();
  });

  itRecovers(
    [
      'before the claim',
      'after the claim',
      'before the effect',
      'before the commit',
      'after the commit',
      'before the settlement',
      'after the settlement',
      'after the response',
    ],
    (point) => ({ kind: 'sqlite', file: join(directory, `${point}.db`) }),
  );
});

await describeWithService('postgres', 'On Postgres', (url) => {
  itRecovers(['after the claim', 'before the commit', 'after the commit', 'before the settlement'], () => {
    const schema = aSchemaName();
    cleanUpAfterFile(async () => {
      const pool = openPool({ max: 1 });
      await dropSchema(pool, schema);
      await pool.end();
    });
    return { kind: 'postgres', url, schema };
  });
});

await describeWithService('redis', 'On Redis, which has no transactions with your data', (url) => {
  const prefix = `test:${randomUUID()}`;

  beforeAll(() => {
    cleanUpAfterFile(async () => {
      const client = new Redis(url);
      const keys = await client.keys(`${prefix}*`);
      if (keys.length > 0) await client.del(keys);
      await client.quit();
    });
  });

  itRecovers(
    ['after the claim', 'before the settlement', 'after the settlement'],
    (point) => ({ kind: 'redis', url, prefix: `${prefix}:${point}` }),
    { transactions: false },
  );
});
