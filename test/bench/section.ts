import type { Thoroughness } from './rounds.js';

/** A table of the report, with one heading for each column. */
export interface BenchTable {
  readonly title: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** A ratio that the project aims at. */
export interface Goal {
  readonly figure: string;
  readonly measured: number;
  /** `atMost` and `atLeast` are ratios, unless `unit` says otherwise. */
  readonly atMost?: number;
  readonly atLeast?: number;
  readonly unit?: string;
}

/** What a section of the bench has found. */
export interface SectionResult {
  readonly tables: readonly BenchTable[];
  readonly goals: readonly Goal[];
  /** Bars for the chart, if the section has any. */
  readonly bars?: readonly { readonly label: string; readonly value: number }[];
}

/** A part of the bench. */
export interface Section {
  readonly name: string;
  run(thoroughness: Thoroughness): Promise<SectionResult>;
}

/** Whether a goal is reached, give or take `slack` (1: nothing). */
export function holds({ measured, atMost, atLeast }: Goal, slack = 1): boolean {
  if (atMost !== undefined && !(measured <= atMost * slack)) return false;
  return atLeast === undefined || measured >= atLeast / slack;
}
