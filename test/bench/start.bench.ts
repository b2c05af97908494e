import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Section } from './section.js';
import { median } from './statistics.js';
import { spread } from './text.js';

// Of the package as it ships, from a process of its own; it stands beside the sources.
const APP = fileURLToPath(new URL('../../../start-app.mjs', import.meta.url));
const VARIANTS = ['empty', 'module', 'sdk'] as const;

const MIN_ROUNDS = 5;

type Variant = (typeof VARIANTS)[number];

interface Start {
  readonly ms: number;
  readonly megabytes: number;
}

const LABELS: Readonly<Record<Variant, string>> = {
  empty: 'an empty Nest application',
  module: '… with this module',
  sdk: '… importing @scalekit-sdk/node',
};

/** How long an application takes until it listens, in fresh processes that take turns. */
export const START: Section = {
  name: 'start',
  async run(thoroughness) {
    const rounds = Math.max(MIN_ROUNDS, thoroughness.rounds);
    const starts = new Map<Variant, Start[]>(VARIANTS.map((variant) => [variant, []]));
    for (let round = -1; round < rounds; round += 1) {
      for (const [variant, measured] of starts) {
        const start: Start = JSON.parse(execFileSync(process.execPath, [APP, variant], { encoding: 'utf8' }));
        // The first round warms the file cache.
        if (round >= 0) measured.push(start);
      }
    }
    const of = (variant: Variant, figure: keyof Start) =>
      (starts.get(variant) ?? []).map((start) => start[figure]);
    const ms = (variant: Variant) => median(of(variant, 'ms'));
    const megabytes = (variant: Variant) => median(of(variant, 'megabytes'));
    const added = (variant: Variant) => ms(variant) - ms('empty');
    const rows = VARIANTS.map((variant) => [
      LABELS[variant],
      ms(variant).toFixed(0),
      spread({ samples: of(variant, 'ms') }),
      added(variant).toFixed(0),
      megabytes(variant).toFixed(0),
    ]);
    const goals = [
      {
        figure: 'start, what the module adds against what importing the SDK adds',
        measured: added('module') / added('sdk'),
        atMost: 0.5,
      },
    ];
    const columns = ['application', 'ms', 'spread', 'added ms', 'MB'];
    return { tables: [{ title: 'Start', columns, rows }], goals };
  },
};
