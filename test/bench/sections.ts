import { GROWTH } from './growth.bench.js';
import { HTTP } from './http.bench.js';
import { PARSE } from './parse.bench.js';
import { PIPELINE } from './pipeline.bench.js';
import type { Section } from './section.js';
import { START } from './start.bench.js';
import { STORES } from './stores.bench.js';
import { VERIFY } from './verify.bench.js';

/** All parts of the bench, in the order in which they are run. */
export const SECTIONS: readonly Section[] = [VERIFY, PARSE, PIPELINE, HTTP, STORES, GROWTH, START];

/** @throws Error when there is none of this name */
export function sectionNamed(name: string | undefined): Section {
  const section = SECTIONS.find((candidate) => candidate.name === name);
  if (!section)
    throw new Error(`BENCH_ONLY takes ${SECTIONS.map((known) => known.name).join(', ')}; found ${name}`);
  return section;
}
