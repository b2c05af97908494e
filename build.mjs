// Builds lib/ twice: dist/esm for `import`, dist/cjs for `require`.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

const ROOT = import.meta.dirname;
const DIST = join(ROOT, 'dist');
const TSC = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin', 'tsc');

async function compile(outDir, ...options) {
  const args = [TSC, '-p', 'tsconfig.build.json', '--outDir', outDir, ...options];
  const [exitCode] = await once(spawn(process.execPath, args, { cwd: ROOT, stdio: 'inherit' }), 'exit');
  return exitCode;
}

/**
 * TypeScript wraps the `require` of a dynamic import in a function. Bundlers accept a package that is not installed only if
 * its `require` is directly within a `try`.
 */
async function unwrapRequires(folder) {
  const names = await readdir(folder, { recursive: true });
  for (const file of names.filter((name) => name.endsWith('.js')).map((name) => join(folder, name))) {
    const code = await readFile(file, 'utf8');
    const unwrapped = code.replaceAll(
      /Promise\.resolve\(\)\.then\(\(\) => (__importStar\(require\('[^']+'\)\))\)/g,
      '$1',
    );
    if (unwrapped !== code) await writeFile(file, unwrapped);
  }
}

await rm(DIST, { recursive: true, force: true });
const exitCodes = await Promise.all([
  compile(join(DIST, 'esm')),
  // `bundler` finds the same declarations as `nodenext`, but allows CommonJS output. The dynamic imports of optional
  // peers become `require` here, which works in Jest's CommonJS runtime.
  compile(join(DIST, 'cjs'), '--module', 'commonjs', '--moduleResolution', 'bundler'),
]);
if (exitCodes.some((exitCode) => exitCode !== 0)) process.exit(1);
await unwrapRequires(join(DIST, 'cjs'));
await writeFile(join(DIST, 'cjs', 'package.json'), '{ "type": "commonjs", "sideEffects": false }\n');
// The command line has one format: package.json's `bin` names the one in dist/esm.
await rm(join(DIST, 'cjs', 'cli'), { recursive: true });
// npm makes it executable when it installs the package; in a clone, `npx scalekit-webhooks` runs this file itself.
await chmod(join(DIST, 'esm', 'cli', 'main.js'), 0o755);
