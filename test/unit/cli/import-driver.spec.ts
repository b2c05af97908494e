import { describe, expect, it } from '@jest/globals';
import Libsql from 'libsql';
import pg from 'pg';
import { importDriver } from '../../../lib/cli/import-driver.js';

describe('importDriver', () => {
  it('gives a class that a package exports by name', async () => {
    expect(await importDriver('Postgres', [['pg', 'Pool']])).toBe(pg.Pool);
  });

  it('passes over packages that are not installed', async () => {
    const packages = [
      ['node:no-such-module', 'Driver'],
      ['no-such-package', 'Driver'],
      ['libsql', 'default'],
    ] as const;

    expect(await importDriver('SQLite', packages)).toBe(Libsql);
  });

  it('says what to install where none is', async () => {
    const packages = [
      ['no-such-package', 'default'],
      ['nor-this', 'default'],
    ] as const;

    await expect(importDriver('SQLite', packages)).rejects.toMatchObject({
      code: 'cli_usage',
      message: expect.stringMatching(
        /SQLite needs no-such-package or nor-this: run `npm install no-such-package`/,
      ),
    });
  });
});
