import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

const ROOT = join(import.meta.dirname, '..', '..');
const CACHE = join(ROOT, 'node_modules', '.cache');
const MOST_FILES = 30;

const run = promisify(execFile);
const tsc = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin', 'tsc');

describe('One delivery through the built package, on Express, with the memory inbox and one handler', () => {
  let build: string;

  beforeAll(async () => {
    await mkdir(CACHE, { recursive: true });
    // Within node_modules, so that the build finds its dependencies.
    build = await mkdtemp(join(CACHE, 'delivery-files-'));
    // `npm run check` checks the types.
    const options = ['--noCheck', '--declaration', 'false', '--outDir', build];
    await run(process.execPath, [tsc, '-p', 'tsconfig.build.json', ...options], { cwd: ROOT });
    await writeFile(join(build, 'package.json'), '{ "type": "module" }');
  }, 60_000);

  afterAll(() => rm(build, { recursive: true, force: true }));

  it(`executes functions of at most ${MOST_FILES} files`, async () => {
    const script = join(import.meta.dirname, 'deliver-once.mjs');
    const { stdout } = await run(process.execPath, [script, build]);
    const { status, handled, files }: { status: number; handled: number; files: string[] } =
      JSON.parse(stdout);

    expect({ status, handled }).toEqual({ status: 201, handled: 1 });
    expect(files).toContain('receive/webhook.controller.js');
    if (files.length > MOST_FILES) throw new Error(`It executes ${files.length} files:\n${files.join('\n')}`);
  }, 60_000);
});
