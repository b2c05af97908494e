// Installs the libraries of this folder. Tests that need one are skipped without it.
//   npm run install:libraries
import { execFileSync } from 'node:child_process';

// Only Prisma's migrations need its engine. Without this variable, `prisma generate` downloads it.
const env = { ...process.env, PRISMA_SCHEMA_ENGINE_BINARY: process.execPath };

function run(command, ...args) {
  execFileSync(command, args, { cwd: import.meta.dirname, stdio: 'inherit', env });
}

run('npm', 'install', '--ignore-scripts', '--no-package-lock', '--no-audit', '--no-fund');
// Downloads the binary, or compiles it, which needs a C++ compiler and takes a minute or two.
run('npm', 'rebuild', 'better-sqlite3');
run('npx', 'prisma', 'generate', '--schema', 'schema.prisma');
