// npm run bench
//   BENCH_ONLY=verify,http         runs some sections
//   BENCH_ROUNDS, BENCH_ROUND_MS   set how long it measures
//   BENCH_SLACK=5                  multiplies what the goals allow, for a busy machine
//   BENCH_REPORT=no                leaves results.md and results.svg alone
//   -- --against <path>            compares HTTP with another checkout that has been built, and runs nothing else
import { parseArgs } from 'node:util';
import { Child } from './child.js';
import { compareBuilds } from './http.bench.js';
import type { RoundOptions } from './measure.js';
import { figuresTable, textTable, writeReport } from './report.js';
import { reachesGoal, SECTION_NAMES, type SectionName, type SectionResult, sectionName } from './section.js';

const {
  BENCH_ONLY,
  BENCH_ROUNDS = '40',
  BENCH_ROUND_MS = '12',
  BENCH_SLACK = '1',
  BENCH_REPORT = 'yes',
} = process.env;
const options: RoundOptions = { rounds: Number(BENCH_ROUNDS), roundMs: Number(BENCH_ROUND_MS) };
const { against } = parseArgs({ options: { against: { type: 'string' } } }).values;

const results = new Map<SectionName, SectionResult>();
if (against === undefined) {
  for (const name of BENCH_ONLY ? BENCH_ONLY.split(',').map(sectionName) : SECTION_NAMES) {
    const child = await Child.start('./run-section.js', [name]);
    show(name, await child.ask<SectionResult>(options));
    await child.stop();
  }
  // The published figures all come from one run on one machine.
  if (results.size === SECTION_NAMES.length && BENCH_REPORT === 'yes') await writeReport(results);
} else {
  show('http', await compareBuilds(against, options));
}

const figures = [...results.values()].flatMap((result) => result.figures);
if (!figures.every((figure) => reachesGoal(figure, Number(BENCH_SLACK)))) process.exitCode = 1;

function show(name: SectionName, result: SectionResult): void {
  results.set(name, result);
  for (const table of result.tables) console.log(`\n${textTable(table)}`);
  if (result.figures.length > 0) console.log(`\n${textTable(figuresTable(result.figures))}`);
}
