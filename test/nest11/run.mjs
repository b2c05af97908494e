// Installs Nest 11 in a temporary directory, and runs tests with it.
//   npm run test:nest11
//   npm run test:nest11 -- test/e2e/module
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const HERE = import.meta.dirname;
// What depends on Nest most.
const TESTS = [
  'test/e2e/dashboard/browser',
  'test/e2e/dashboard/dashboard',
  'test/e2e/capture',
  'test/e2e/handlers',
];

const asked = process.argv.slice(2);
const directory = mkdtempSync(join(tmpdir(), 'scalekit-webhooks-nest11-'));
// Keeps this process alive until the tests have ended, so that it removes the directory.
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => {});
try {
  copyFileSync(join(HERE, 'package.json'), join(directory, 'package.json'));
  run('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline'], directory);
  const jest = ['--experimental-vm-modules', '--no-warnings', 'node_modules/jest/bin/jest.js'];
  const config = ['--config', join(HERE, 'jest.config.js')];
  run(process.execPath, [...jest, ...config, ...(asked.length > 0 ? asked : TESTS)], join(HERE, '..', '..'));
} finally {
  rmSync(directory, { recursive: true, force: true });
}

function run(command, args, cwd) {
  if (process.exitCode) return;
  const env = { ...process.env, NEST11_DIRECTORY: directory };
  const { status } = spawnSync(command, args, { cwd, env, stdio: 'inherit' });
  process.exitCode = status ?? 1;
}
