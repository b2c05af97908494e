import { readFile, writeFile } from 'node:fs/promises';
import { cpus, type as osType, totalmem } from 'node:os';
import { times } from './measure.js';
import { type Bar, type BenchTable, type Figure, reachesGoal, type SectionResult } from './section.js';

const BENCH = new URL('../../../', import.meta.url);
const PACKAGES = [
  '@nestjs/core',
  'express',
  'fastify',
  '@scalekit-sdk/node',
  'standardwebhooks',
  'svix',
  'stripe',
  '@octokit/webhooks',
  'class-validator',
  'class-transformer',
  'bullmq',
  'pg',
  'ioredis',
  'libsql',
];

/** Writes results.md, with a table for each section, and results.svg, the chart that the documentation shows. */
export async function writeReport(results: ReadonlyMap<string, SectionResult>): Promise<void> {
  const all = [...results.values()];
  const paragraphs = [
    '# Bench results',
    `Written by \`npm run bench\` on ${machine()}. Compare figures of one run with each other. Absolute times depend on the machine.`,
    '## Goals',
    markdownTable(figuresTable(all.flatMap(({ figures }) => figures))),
    ...all.flatMap(({ tables }) => tables.flatMap((table) => [`## ${table.title}`, markdownTable(table)])),
    '## Versions',
    `Node ${process.version}; ${(await Promise.all(PACKAGES.map(version))).join(', ')}.`,
  ];
  await writeFile(new URL('results.md', BENCH), `${paragraphs.join('\n\n')}\n`);
  const chart = barChart(
    'Requests per second, relative to the handler in Scalekit’s guide',
    results.get('http')?.bars ?? [],
  );
  await writeFile(new URL('results.svg', BENCH), chart);
}

export function figuresTable(figures: readonly Figure[]): BenchTable {
  return {
    title: 'Goals',
    columns: ['figure', 'goal', 'measured', ''],
    rows: figures.map((figure) => {
      const goal = goalText(figure);
      const measured = valueText(figure);
      return goal === undefined
        ? [figure.name, '–', measured, '']
        : [figure.name, goal, measured, reachesGoal(figure) ? 'reached' : 'missed'];
    }),
  };
}

/** For a terminal. */
export function textTable({ title, columns, rows }: BenchTable): string {
  const widths = columns.map((_, column) =>
    Math.max(...[columns, ...rows].map((cells) => cells[column]?.length ?? 0)),
  );
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd();
  return [title, line(columns), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n');
}

function markdownTable({ columns, rows }: BenchTable): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(columns), `|${columns.map(() => '---|').join('')}`, ...rows.map(line)].join('\n');
}

function goalText({ atMost, atLeast, unit = '×' }: Figure): string | undefined {
  if (atMost !== undefined) return `≤ ${atMost} ${unit}`;
  return atLeast === undefined ? undefined : `≥ ${atLeast} ${unit}`;
}

function valueText({ measured, unit }: Figure): string {
  return unit === undefined ? times(measured) : `${measured.toFixed(0)} ${unit}`;
}

const CHART_WIDTH = 720;
const LABEL_WIDTH = 240;
const VALUE_WIDTH = 70;
const ROW_HEIGHT = 30;
const TOP = 40;

/** An SVG with one horizontal bar per value. Its colors work on light and dark pages. */
function barChart(title: string, bars: readonly Bar[]): string {
  const largest = Math.max(...bars.map(({ value }) => value));
  const rows = bars.map(({ label, value }, index) => {
    const width = (value / largest) * (CHART_WIDTH - LABEL_WIDTH - VALUE_WIDTH);
    const y = TOP + index * ROW_HEIGHT;
    const color = label.startsWith('ours') ? '#2f6feb' : '#8b949e';
    return [
      `<text x="${LABEL_WIDTH - 10}" y="${y + 15}" text-anchor="end">${escapeXml(label)}</text>`,
      `<rect x="${LABEL_WIDTH}" y="${y}" width="${width.toFixed(1)}" height="20" fill="${color}"/>`,
      `<text x="${(LABEL_WIDTH + width + 8).toFixed(1)}" y="${y + 15}">${times(value)}</text>`,
    ].join('');
  });
  const height = TOP + bars.length * ROW_HEIGHT + 10;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${CHART_WIDTH}" height="${height}" viewBox="0 0 ${CHART_WIDTH} ${height}" font-family="sans-serif" font-size="13" fill="#6e7781">
<title>${escapeXml(title)}</title>
<text x="10" y="20" font-size="15">${escapeXml(title)}</text>
${rows.join('\n')}
</svg>
`;
}

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}

function machine(): string {
  const [cpu] = cpus();
  const gigabytes = Math.round(totalmem() / 2 ** 30);
  return `${cpus().length} cores (${cpu?.model.trim()}), ${gigabytes} GB, ${osType()}`;
}

async function version(name: string): Promise<string> {
  const path = new URL(`../../node_modules/${name}/package.json`, BENCH);
  return `${name} ${JSON.parse(await readFile(path, 'utf8')).version}`;
}
