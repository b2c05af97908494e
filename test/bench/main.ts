// npm run bench: BENCH_ONLY=verify,http for some sections, BENCH_ROUNDS for more or fewer rounds.
import { Child } from './child.js';
import { goalsTable, textTable } from './report/tables.js';
import { writeReport } from './report/write-report.js';
import { holds, type SectionResult } from './section.js';
import { SECTIONS, sectionNamed } from './sections.js';

const {
  BENCH_ONLY,
  BENCH_ROUNDS = '40',
  BENCH_ROUND_MS = '12',
  BENCH_SLACK = '1',
  BENCH_REPORT = 'yes',
} = process.env;
const thoroughness = { rounds: Number(BENCH_ROUNDS), roundMs: Number(BENCH_ROUND_MS) };
const chosen = BENCH_ONLY ? BENCH_ONLY.split(',').map(sectionNamed) : SECTIONS;

const results = new Map<string, SectionResult>();
for (const { name } of chosen) {
  const child = await Child.start('./run-section.js', [name]);
  const result = await child.ask<SectionResult>(thoroughness);
  await child.stop();
  results.set(name, result);
  for (const table of [...result.tables, goalsTable(result.goals)]) console.log(`\n${textTable(table)}`);
}
// Only a whole run is published: its figures are of one machine at one time.
if (chosen.length === SECTIONS.length && BENCH_REPORT === 'yes') await writeReport(results);

const missed = [...results.values()]
  .flatMap(({ goals }) => goals)
  .filter((goal) => !holds(goal, Number(BENCH_SLACK)));
if (missed.length > 0) process.exitCode = 1;
