// npm run bench: BENCH_ONLY=verify,http for some sections, BENCH_ROUNDS for more or fewer rounds.
import { GROWTH } from './growth.bench.js';
import { HTTP } from './http.bench.js';
import { PARSE } from './parse.bench.js';
import { PIPELINE } from './pipeline.bench.js';
import { goalsTable, textTable } from './report/tables.js';
import { writeReport } from './report/write-report.js';
import { holds, type Section, type SectionResult } from './section.js';
import { START } from './start.bench.js';
import { STORES } from './stores.bench.js';
import { VERIFY } from './verify.bench.js';

const SECTIONS: readonly Section[] = [VERIFY, PARSE, PIPELINE, HTTP, STORES, GROWTH, START];

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
for (const section of chosen) {
  const result = await section.run(thoroughness);
  results.set(section.name, result);
  for (const table of [...result.tables, goalsTable(result.goals)]) console.log(`\n${textTable(table)}`);
}
// Only a whole run is published: its figures are of one machine at one time.
if (chosen.length === SECTIONS.length && BENCH_REPORT === 'yes') await writeReport(results);

const missed = [...results.values()]
  .flatMap(({ goals }) => goals)
  .filter((goal) => !holds(goal, Number(BENCH_SLACK)));
if (missed.length > 0) process.exitCode = 1;

function sectionNamed(name: string): Section {
  const section = SECTIONS.find((candidate) => candidate.name === name);
  if (!section)
    throw new Error(`BENCH_ONLY takes ${SECTIONS.map((known) => known.name).join(', ')}; found ${name}`);
  return section;
}
