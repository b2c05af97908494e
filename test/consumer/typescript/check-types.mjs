// Checks `src` with each version of TypeScript. Errors in the declarations of other packages do not count: they are not ours.
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const VERSIONS = ['5.4', '5.9', '6', '7'];
const RESOLUTIONS = [
  ['--module', 'nodenext', '--moduleResolution', 'nodenext'],
  ['--module', 'esnext', '--moduleResolution', 'bundler'],
];

let failed = 0;
for (const version of VERSIONS) {
  const folder = join(import.meta.dirname, 'node_modules', `typescript-${version}`);
  const { bin } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  for (const resolution of RESOLUTIONS) {
    const output = await run([join(folder, bin.tsc), '--noEmit', '--pretty', 'false', ...resolution]);
    const ours = output
      .split('\n')
      .filter((line) => / error TS\d+: /.test(line) || /^error /.test(line))
      .filter((line) => !/^(?:\.\.\/)*node_modules\/(?!nestjs-scalekit-webhooks\/)/.test(line));
    if (ours.length > 0) failed += 1;
    console.log(`TypeScript ${version}, ${resolution.at(-1)}: ${ours.length > 0 ? ours.join('\n') : 'ok'}`);
  }
}
process.exitCode = failed > 0 ? 1 : 0;

function run(args) {
  return new Promise((resolve, reject) => {
    execFile(process.execPath, args, { cwd: import.meta.dirname }, (error, stdout, stderr) => {
      // tsc exits with 1 or 2 if it found errors.
      if (error && typeof error.code !== 'number') reject(error);
      else if (error && !stdout.includes('error TS')) reject(new Error(`${stdout}\n${stderr}`));
      else resolve(stdout);
    });
  });
}
