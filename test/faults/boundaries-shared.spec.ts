import { randomUUID } from 'node:crypto';
import { beforeAll, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { aSchemaName, dropSchema, openPool } from '../helpers/postgres.js';
import { describeWithService } from '../helpers/services.js';
import { crashAt, type KillPoint } from './helpers/crashes.js';
import type { LedgerPlace } from './helpers/ledgers.js';
import { undoAfterSuite } from './helpers/tidy.js';

await describeWithService('postgres', 'On Postgres a process that is killed', (url) => {
  let retry: Awaited<ReturnType<typeof crashAt>>;

  beforeAll(async () => {
    const points: KillPoint[] = [
      'after the claim',
      'before the commit',
      'after the commit',
      'before the settlement',
    ];
    const pool = openPool({ max: 1 });
    undoAfterSuite(() => pool.end());
    const aPlace = (): LedgerPlace => {
      const schema = aSchemaName();
      undoAfterSuite(() => dropSchema(pool, schema));
      return { kind: 'postgres', url, schema };
    };
    retry = await crashAt(new Map(points.map((point) => [point, aPlace()])));
  });

  it('between claim and handlers leaves claims: the retry runs all when their lease has ended', async () => {
    expect(await retry('after the claim')).toEqual({ status: 201, plain: 1, transactional: 1, effects: 1 });
  });

  it('before the commit of an effect leaves none of it: the retry runs all again', async () => {
    expect(await retry('before the commit')).toEqual({ status: 201, plain: 2, transactional: 2, effects: 1 });
  });

  it('after the commit of an effect leaves its record: the retry runs only the other handler', async () => {
    expect(await retry('after the commit')).toEqual({ status: 201, plain: 2, transactional: 1, effects: 1 });
  });

  it('between handlers and settlement has the retry run what had no record in its own transaction', async () => {
    expect(await retry('before the settlement')).toEqual({
      status: 201,
      plain: 2,
      transactional: 1,
      effects: 1,
    });
  });
});

await describeWithService('redis', 'On Redis a process that is killed', (url) => {
  let retry: Awaited<ReturnType<typeof crashAt>>;

  beforeAll(async () => {
    const points: KillPoint[] = ['after the claim', 'before the settlement', 'after the settlement'];
    const prefix = `test:${randomUUID()}`;
    undoAfterSuite(async () => {
      const client = new Redis(url);
      const keys = await client.keys(`${prefix}*`);
      if (keys.length > 0) await client.del(keys);
      await client.quit();
    });
    const place = (point: string): LedgerPlace => ({ kind: 'redis', url, prefix: `${prefix}:${point}` });
    retry = await crashAt(new Map(points.map((point) => [point, place(point)])));
  });

  it('between claim and handler leaves claims: the retry runs all when their lease has ended', async () => {
    expect(await retry('after the claim')).toEqual({ status: 201, plain: 1 });
  });

  it('between handlers and settlement has the retry run them again', async () => {
    expect(await retry('before the settlement')).toEqual({ status: 201, plain: 2 });
  });

  it('between settlement and answer has the retry told that all is done, and runs nothing', async () => {
    expect(await retry('after the settlement')).toEqual({ status: 200, plain: 1 });
  });
});
