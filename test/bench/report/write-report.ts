import { readFile, writeFile } from 'node:fs/promises';
import { cpus, type as osType, totalmem } from 'node:os';
import type { SectionResult } from '../section.js';
import { barChart } from './bar-chart.js';
import { goalsTable, markdownTable } from './tables.js';

const BENCH = new URL('../../../../', import.meta.url);
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

/** Writes the results beside the bench: a table for each section, and the chart that the README shows. */
export async function writeReport(results: ReadonlyMap<string, SectionResult>): Promise<void> {
  const goals = [...results.values()].flatMap((result) => result.goals);
  const tables = [...results.values()].flatMap((result) => result.tables);
  const text = [
    '# What the bench found',
    `Made by \`npm run bench\` on ${machine()}. Ratios of one run count; absolute times are this machine's.`,
    '## Goals',
    markdownTable(goalsTable(goals)),
    ...tables.flatMap((table) => [`## ${table.title}`, markdownTable(table)]),
    '## Versions',
    `Node ${process.version}; ${(await Promise.all(PACKAGES.map(version))).join(', ')}.`,
  ];
  await writeFile(new URL('results.md', BENCH), `${text.join('\n\n')}\n`);
  const bars = results.get('http')?.bars ?? [];
  await writeFile(
    new URL('results.svg', BENCH),
    barChart('Requests per second, times those of the guide’s handler', bars),
  );
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
