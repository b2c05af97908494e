import { randomBytes } from 'node:crypto';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import { Client } from 'pg';
import { RedisServer } from '../helpers/redis-server.js';
import { describeWithServers, describeWithService } from '../helpers/services.js';
import { SECRET } from '../helpers/test-app.js';
import { TypeScriptProcess } from '../helpers/typescript-process.js';
import { codeBlocks, MARKDOWN_FILES, ROOT } from './markdown.js';

const MAIN = new URL('./example.main.ts', import.meta.url);
const SCRATCH = `${ROOT}.docs-survival/`;
const TIMEOUT_MS = 60_000;

/** The examples whose code matches, by their places. */
function examplesWith(code: RegExp): [string, string][] {
  return MARKDOWN_FILES.flatMap((file) => codeBlocks(file, 'ts'))
    .filter((block) => code.test(block.code))
    .map(({ file, line, code }) => [`${file}:${line}`, code]);
}

function write(place: string, code: string): string {
  const path = `${SCRATCH}${place.replace(/\W+/g, '-')}.ts`;
  writeFileSync(path, code);
  return path;
}

beforeAll(() => {
  mkdirSync(SCRATCH, { recursive: true });
});

afterAll(() => {
  rmSync(SCRATCH, { recursive: true, force: true });
});

await describeWithService('postgres', 'an example that uses Postgres', (url) => {
  // The examples use the default schema, so they get a database that no other test uses.
  const name = `docs_${randomBytes(6).toString('hex')}`;
  const database = Object.assign(new URL(url), { pathname: name });
  database.searchParams.set('application_name', name);
  const admin = new Client({ connectionString: url });

  beforeAll(async () => {
    await admin.connect();
    await admin.query(`CREATE DATABASE ${name}`);
  }, TIMEOUT_MS);

  afterAll(async () => {
    await admin.query(`DROP DATABASE ${name} WITH (FORCE)`);
    await admin.end();
  }, TIMEOUT_MS);

  async function endConnections(): Promise<void> {
    const sql = 'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1';
    const { rowCount } = await admin.query(sql, [name]);
    expect(rowCount).toBeGreaterThan(0);
  }

  describeWithServers('redis', 'outlives its connections', () => {
    let redis: RedisServer;
    let example: TypeScriptProcess;

    beforeAll(async () => {
      redis = await RedisServer.start();
    });

    afterEach(() => example.kill());

    afterAll(() => redis.stop());

    function start(place: string, code: string): void {
      example = new TypeScriptProcess(
        MAIN,
        write(place, code),
        database.href,
        `redis://127.0.0.1:${redis.port}`,
        SECRET,
      );
    }

    // An example of a part of an application, such as a DatabaseModule, cannot run by itself.
    const runnable = examplesWith(/new (?:Pool|Redis|Queue)\(/).filter(([, code]) =>
      /export (?:const webhooks|class AppModule)\b/.test(code),
    );

    it.each(runnable)(
      'in %s',
      async (place, code) => {
        start(place, code);
        expect(await example.line()).toBe('handled');

        if (code.includes('new Pool(')) await endConnections();
        if (/Redis|Queue/.test(code)) {
          await redis.kill();
          await redis.launch();
        }
        example.proceed();

        expect(await example.line()).toBe('handled');
      },
      TIMEOUT_MS,
    );

    for (const [place, code] of examplesWith(/UPDATE seats/)) {
      it(
        `in a transaction in ${place}`,
        async () => {
          start(place, code);
          expect(await example.line()).toBe('in a transaction');

          await endConnections();
          example.proceed();

          expect(await example.line()).toBe('failed');
          expect(await example.line()).toBe('in a transaction');
          example.proceed();
          expect(await example.line()).toBe('handled');
        },
        TIMEOUT_MS,
      );
    }
  });
});
