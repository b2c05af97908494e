// What the module adds to the start of an empty application, in fresh processes that take turns. Needs a build.
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 15);
const LIMIT_MS = 150;
const APP = join(import.meta.dirname, 'start-app.mjs');

const times = { without: [], with: [] };
for (let round = -1; round < ROUNDS; round += 1) {
  for (const [variant, measured] of Object.entries(times)) {
    const ms = Number(execFileSync(process.execPath, [APP, variant], { encoding: 'utf8' }));
    // The first round warms the file cache.
    if (round >= 0) measured.push(ms);
  }
}

const without = median(times.without);
const added = median(times.with) - without;
console.log(
  `start of an empty application on ${process.version}, median of ${ROUNDS}: ${without.toFixed(0)} ms, ` +
    `with the module ${(without + added).toFixed(0)} ms, added ${added.toFixed(0)} ms (limit ${LIMIT_MS} ms)`,
);
process.exitCode = added < LIMIT_MS ? 0 : 1;

function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
