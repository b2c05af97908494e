// Installs the packed package in temporary applications, then builds, starts and tests them.
//   node test/consumer/run.mjs [--node <binary>]... [--only <consumer>]...
import { execFileSync, spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';

const HERE = import.meta.dirname;
const ROOT = join(HERE, '..', '..');
const SHARED = 'shared';
const STEP_TIMEOUT_MS = 5 * 60_000;

const { values: options } = parseArgs({
  options: { node: { type: 'string', multiple: true }, only: { type: 'string', multiple: true } },
});
const nodes = (options.node ?? [process.execPath]).map((binary) => resolve(binary));
const consumers = readdirSync(HERE).filter(
  (name) =>
    name !== SHARED && statSync(join(HERE, name)).isDirectory() && (options.only ?? [name]).includes(name),
);

const work = mkdtempSync(join(tmpdir(), 'scalekit-webhooks-consumers-'));
let passed = 0;
let failed = 0;
try {
  const tarball = pack();
  for (const name of consumers) testConsumer(name, tarball);
} finally {
  rmSync(work, { recursive: true, force: true });
}
console.log(`${passed} consumers passed, ${failed} failed`);
process.exitCode = failed > 0 || passed === 0 ? 1 : 0;

/** Creates the tarball that would be published. */
function pack() {
  run('npm', ['run', 'build'], ROOT);
  const [{ filename, files }] = JSON.parse(
    execFileSync('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', work], {
      cwd: ROOT,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }),
  );
  const stray = files.map(({ path }) => path).filter((path) => !isPublished(path));
  if (stray.length > 0) throw new Error(`the package must not contain: ${stray.join(', ')}`);
  return join(work, filename);
}

function isPublished(path) {
  return (
    /^dist\/(?:esm|cjs)\/.+\.(?:js|d\.ts)$/.test(path) ||
    ['dist/cjs/package.json', 'package.json', 'README.md', 'LICENSE', 'CHANGELOG.md'].includes(path)
  );
}

function testConsumer(name, tarball) {
  const source = join(HERE, name);
  const app = join(work, name);
  const { engines } = JSON.parse(readFileSync(join(source, 'package.json'), 'utf8'));
  const targets = nodes
    .map((node) => ({ node, version: execFileSync(node, ['--version'], { encoding: 'utf8' }).trim() }))
    .filter(({ version }) => isSupported(version, engines?.node));
  if (targets.length === 0) {
    console.log(`consumer ${name}: skipped, needs Node ${engines.node}`);
    return;
  }
  const broken = attempt(() => install(source, app, tarball));
  for (const { node, version } of targets) {
    // Makes npm scripts and their child processes use this Node.
    const env = { ...process.env, PATH: `${dirname(node)}${delimiter}${process.env.PATH}` };
    const error = broken ?? attempt(() => run('npm', ['run', 'verify'], app, env));
    if (error) failed += 1;
    else passed += 1;
    console.log(`consumer ${name} on ${version}: ${error ? `FAILED\n${error.message}` : 'ok'}`);
  }
}

function install(source, app, tarball) {
  mkdirSync(app);
  if (existsSync(join(source, 'src'))) cpSync(join(HERE, SHARED), app, { recursive: true });
  cpSync(source, app, { recursive: true });
  const { packageManager = '' } = JSON.parse(readFileSync(join(source, 'package.json'), 'utf8'));
  if (packageManager.startsWith('pnpm')) {
    // Outside of CI, pnpm would look for a workspace above the folder.
    const pnpm = [
      '--yes',
      packageManager,
      'add',
      '--ignore-workspace',
      '--ignore-scripts',
      '--prefer-offline',
    ];
    run('npx', [...pnpm, `file:${tarball}`], app);
  } else {
    run('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline', tarball], app);
  }
  run('npm', ['run', '--if-present', 'build'], app);
}

/** `range` is of the form `>=24.9`. */
function isSupported(version, range = '>=0.0') {
  const [major, minor] = version.slice(1).split('.').map(Number);
  const [leastMajor, leastMinor] = range.slice(2).split('.').map(Number);
  return major > leastMajor || (major === leastMajor && minor >= leastMinor);
}

function attempt(action) {
  try {
    action();
    return undefined;
  } catch (error) {
    return error;
  }
}

/** Runs a command, and shows its output only if it fails. */
function run(command, args, cwd, env = process.env) {
  const { status, signal, stdout, stderr, error } = spawnSync(command, args, {
    cwd,
    env,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: STEP_TIMEOUT_MS,
  });
  if (error) throw error;
  if (status === 0) return;
  throw new Error(`${command} ${args.join(' ')} failed with ${signal ?? status}\n${stdout}\n${stderr}`);
}
