// Runs the bundles outside of this folder, so that they find no package but what is in them.
const { execFileSync } = require('node:child_process');
const { cpSync, mkdtempSync, rmSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { join } = require('node:path');

const folder = mkdtempSync(join(tmpdir(), 'bundle-'));
try {
  cpSync(join(__dirname, 'bundles'), folder, { recursive: true });
  for (const [name, keepsNames] of [
    ['minified', 'no'],
    ['plain', 'yes'],
  ]) {
    const env = { ...process.env, KEEPS_NAMES: keepsNames };
    execFileSync(process.execPath, [join(folder, `${name}.js`)], { stdio: 'inherit', env });
  }
} finally {
  rmSync(folder, { recursive: true });
}
