// Runs the bundles outside of this folder, so that they find no package but what is in them.
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const folder = mkdtempSync(join(tmpdir(), 'bundle-'));
try {
  cpSync(join(import.meta.dirname, 'bundles'), folder, { recursive: true });
  for (const [file, keepsNames] of [
    ['esm.mjs', 'no'],
    ['cjs.cjs', 'no'],
    ['names.cjs', 'yes'],
  ]) {
    const env = { ...process.env, KEEPS_NAMES: keepsNames };
    execFileSync(process.execPath, [join(folder, file)], { stdio: 'inherit', env });
  }
} finally {
  rmSync(folder, { recursive: true });
}
