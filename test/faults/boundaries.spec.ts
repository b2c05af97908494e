import { join } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { crashAt, type KillPoint } from './helpers/crashes.js';
import type { LedgerPlace } from './helpers/ledgers.js';
import { aDirectory } from './helpers/tidy.js';

const POINTS: readonly KillPoint[] = [
  'before the claim',
  'after the claim',
  'before the effect',
  'before the commit',
  'after the commit',
  'before the settlement',
  'after the settlement',
  'after the answer',
];

describe('On SQLite a process that is killed', () => {
  let retry: Awaited<ReturnType<typeof crashAt>>;

  beforeAll(async () => {
    const directory = await aDirectory();
    const place = (point: string): LedgerPlace => ({ kind: 'sqlite', file: join(directory, `${point}.db`) });
    retry = await crashAt(new Map(POINTS.map((point) => [point, place(point)])));
  });

  it('between receipt and claim leaves nothing: the retry is the first to run', async () => {
    expect(await retry('before the claim')).toEqual({ status: 201, plain: 1, transactional: 1, effects: 1 });
  });

  it('between claim and handlers leaves claims: the retry runs all when their lease has ended', async () => {
    expect(await retry('after the claim')).toEqual({ status: 201, plain: 1, transactional: 1, effects: 1 });
  });

  it('between the beginning of its handlers and their effects has the retry run all of them', async () => {
    expect(await retry('before the effect')).toEqual({ status: 201, plain: 1, transactional: 1, effects: 1 });
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

  it('between settlement and answer has the retry told that all is done, and runs nothing', async () => {
    expect(await retry('after the settlement')).toEqual({
      status: 200,
      plain: 1,
      transactional: 1,
      effects: 1,
    });
  });

  it('after the answer has forgotten nothing', async () => {
    expect(await retry('after the answer')).toEqual({ status: 200, plain: 1, transactional: 1, effects: 1 });
  });
});
