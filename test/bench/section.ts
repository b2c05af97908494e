import type { RoundOptions } from './measure.js';

/** The parts of the bench, in the order in which they run. Each is loaded only by the process that runs it. */
export const SECTIONS = {
  verify: () => import('./verify.bench.js'),
  parse: () => import('./parse.bench.js'),
  pipeline: () => import('./pipeline.bench.js'),
  http: () => import('./http.bench.js'),
  durable: () => import('./durable.bench.js'),
  work: () => import('./work.bench.js'),
  stores: () => import('./stores.bench.js'),
  filters: () => import('./filters.bench.js'),
  growth: () => import('./growth.bench.js'),
  start: () => import('./start.bench.js'),
} satisfies Record<string, () => Promise<Section>>;

export type SectionName = keyof typeof SECTIONS;

export const SECTION_NAMES = Object.keys(SECTIONS).filter(isSectionName);

export interface Section {
  run(options: RoundOptions): Promise<SectionResult>;
}

/** What a section found. */
export interface SectionResult {
  readonly tables: readonly BenchTable[];
  readonly figures: readonly Figure[];
  /** The bars of the chart. */
  readonly bars?: readonly Bar[];
}

/** A table of the report, with a heading for each column. */
export interface BenchTable {
  readonly title: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** A number to watch. It has a goal if `atMost` or `atLeast` is set. */
export interface Figure {
  readonly name: string;
  readonly measured: number;
  readonly atMost?: number;
  readonly atLeast?: number;
  /** @default '×', a ratio */
  readonly unit?: string;
}

export interface Bar {
  readonly label: string;
  readonly value: number;
}

/** Whether a figure reaches its goal. `slack` widens the goal by a factor; 1 leaves it as it is. */
export function reachesGoal({ measured, atMost, atLeast }: Figure, slack = 1): boolean {
  if (atMost !== undefined && !(measured <= atMost * slack)) return false;
  return atLeast === undefined || measured >= atLeast / slack;
}

/** @throws Error when there is no section with this name */
export function sectionName(name: string | undefined): SectionName {
  if (isSectionName(name)) return name;
  throw new Error(`There is no section ${name}. Use one of ${SECTION_NAMES.join(', ')}.`);
}

function isSectionName(name: string | undefined): name is SectionName {
  return name !== undefined && Object.hasOwn(SECTIONS, name);
}
