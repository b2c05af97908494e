import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { median, type RoundOptions, spread } from './measure.js';
import type { SectionResult } from './section.js';

// Plain JavaScript beside the sources: it runs the built package, as an application does.
const APP = fileURLToPath(new URL('../../../start-app.mjs', import.meta.url));
const VARIANTS = ['empty', 'module', 'sdk'] as const;
const LABELS: Readonly<Record<Variant, string>> = {
  empty: 'a Nest application with a ValidationPipe',
  module: '… with this module',
  sdk: '… importing @scalekit-sdk/node',
};
const MIN_ROUNDS = 5;

type Variant = (typeof VARIANTS)[number];

/** What start-app.mjs prints. */
interface Start {
  readonly ms: number;
  readonly megabytes: number;
}

/** How long an application takes to start, in fresh processes that take turns. */
export async function run(options: RoundOptions): Promise<SectionResult> {
  const starts = new Map<Variant, Start[]>(VARIANTS.map((variant) => [variant, []]));
  const rounds = Math.max(MIN_ROUNDS, options.rounds);
  // The first round only fills the file cache.
  for (let round = -1; round < rounds; round += 1) {
    for (const [variant, measured] of starts) {
      const start: Start = JSON.parse(execFileSync(process.execPath, [APP, variant], { encoding: 'utf8' }));
      if (round >= 0) measured.push(start);
    }
  }
  const samples = (variant: Variant, figure: keyof Start) =>
    (starts.get(variant) ?? []).map((start) => start[figure]);
  const ms = (variant: Variant) => median(samples(variant, 'ms'));
  const added = (variant: Variant) => ms(variant) - ms('empty');
  const rows = VARIANTS.map((variant) => [
    LABELS[variant],
    ms(variant).toFixed(0),
    spread(samples(variant, 'ms')),
    added(variant).toFixed(0),
    median(samples(variant, 'megabytes')).toFixed(0),
  ]);
  const figures = [
    {
      name: 'start, what this module adds relative to importing the SDK',
      measured: added('module') / added('sdk'),
      atMost: 0.7,
    },
  ];
  const columns = ['application', 'ms', 'spread', 'added ms', 'MB'];
  return { tables: [{ title: 'Start', columns, rows }], figures };
}
