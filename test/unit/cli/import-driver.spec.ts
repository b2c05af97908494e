import { describe, expect, it } from '@jest/globals';
import Libsql from 'libsql';
import pg from 'pg';
import { importDriver } from '../../../lib/cli/open-inbox.js';

describe('importDriver', () => {
  it('returns what an installed package exports', async () => {
    expect(await importDriver('Postgres', ['pg'])).toBe(pg);
  });

  it('skips packages that are not installed', async () => {
    const packages = ['node:no-such-module', 'no-such-package', 'libsql'];

    expect(await importDriver('SQLite', packages)).toBe(Libsql);
  });

  it('says what to install if no package is installed', async () => {
    await expect(importDriver('SQLite', ['no-such-package', 'nor-this'])).rejects.toMatchObject({
      code: 'cli_usage',
      message: expect.stringMatching(
        /A SQLite inbox needs no-such-package or nor-this\. Run `npm install no-such-package`/,
      ),
    });
  });
});
