import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { ScalekitDashboardModule } from '../../lib/dashboard/index.js';
import { type InboxStore, ScalekitWebhooksModule } from '../../lib/index.js';
import { SECRET } from './http/receiver.js';
import { median } from './measure.js';

const PAGES = {
  'overview, with its chart': 'overview',
  'list of events': 'entries',
  'list of events with dead runs': 'entries?state=dead',
} as const;
const TAKES = 5;

/**
 * How long the pages of the dashboard take over HTTP. The first take counts too: an operator opens the overview once.
 *
 * @returns for each page, the first take and the median of all, in ms
 */
export async function dashboardPages(
  inbox: InboxStore,
): Promise<[page: string, first: number, ms: number][]> {
  @Module({
    imports: [
      ScalekitWebhooksModule.forRoot({ signingSecret: SECRET, inbox }),
      ScalekitDashboardModule.forRoot({ unsafeWithoutGuard: true }),
    ],
  })
  class AppModule {}

  const app = await NestFactory.create(AppModule, new FastifyAdapter(), { logger: ['error'] });
  try {
    await app.listen(0, '127.0.0.1');
    const base = await app.getUrl();
    const results: [string, number, number][] = [];
    for (const [name, page] of Object.entries(PAGES)) {
      const takes: number[] = [];
      for (let take = 0; take < TAKES; take += 1) takes.push(await timeOf(`${base}/admin/webhooks/${page}`));
      results.push([name, takes[0] ?? Number.NaN, median(takes)]);
    }
    return results;
  } finally {
    await app.close();
  }
}

async function timeOf(url: string): Promise<number> {
  const startedAt = performance.now();
  const response = await fetch(url);
  const page = await response.text();
  const ms = performance.now() - startedAt;
  if (response.status !== 200 || page.includes('cannot be read')) throw new Error(`${url} was not shown`);
  return ms;
}
