import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { INestApplication } from '@nestjs/common';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import axe, { type AxeResults } from 'axe-core';
import { MemoryInboxStore } from 'nestjs-scalekit-webhooks';
import { SqliteInboxStore } from 'nestjs-scalekit-webhooks/sqlite';
import { createScalekitEvent, ScalekitWebhookTester } from 'nestjs-scalekit-webhooks/testing';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { cleanUpAfterTest } from '../../helpers/cleanup.js';
import { portOf } from '../../helpers/raw-request.js';
import { describeWithChromium } from '../../helpers/services.js';
import { openSqlite } from '../../helpers/sqlite-files.js';
import { ADAPTERS } from '../../helpers/test-app.js';
import { AdminGuard, OperatorsModule, startDashboard, store, WelcomeHandlers } from './dashboard-app.js';

// For what depends on the pages only.
const onExpress = () => new ExpressAdapter();
const onFastify = () => new FastifyAdapter();
const TIMEOUT_MS = 60_000;
const REFRESH_MS = 10_000;

describeWithChromium('the dashboard in Chromium', (executablePath) => {
  let browser: Browser;

  beforeAll(async () => {
    // The sandbox of Chromium does not work for root.
    browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
  }, TIMEOUT_MS);

  afterAll(async () => {
    await browser?.close();
  }, TIMEOUT_MS);

  /** A tab of an operator. The test fails at its end if a page had an error, or broke its Content-Security-Policy. */
  async function openTab(app: INestApplication, options: BrowserContextOptions = {}): Promise<Page> {
    const context = await browser.newContext({
      baseURL: `http://127.0.0.1:${portOf(app)}/admin/webhooks/`,
      extraHTTPHeaders: { 'x-api-key': 'operator' },
      ...options,
    });
    const page = await context.newPage();
    const problems: string[] = [];
    page.on('pageerror', (error) => problems.push(error.message));
    page.on('dialog', (dialog) => problems.push(`a dialog: ${dialog.message()}`));
    page.on('console', (line) => {
      if (line.type() === 'error' && !line.text().includes('status of 40')) problems.push(line.text());
    });
    cleanUpAfterTest(async () => {
      await context.close();
      expect(problems).toEqual([]);
    });
    return page;
  }

  async function violationsOn(page: Page): Promise<unknown[]> {
    await page.evaluate(axe.source);
    const { violations, passes } = await page.evaluate<AxeResults>('axe.run()');
    expect(passes.length).toBeGreaterThan(10);
    return violations.map(({ id, nodes }) => ({ id, html: nodes.map(({ html }) => html) }));
  }

  it.each(ADAPTERS)(
    'finds a dead run with a filter, and replays it, on %s',
    async (_name, adapter) => {
      const inbox = new SqliteInboxStore({ database: openSqlite(':memory:') });
      const app = await startDashboard(adapter, { inbox });
      const event = createScalekitEvent('user.created');
      await new ScalekitWebhookTester(app).deliver(event);
      await store(inbox, 'evt_done', { welcome: 'done' });
      app.get(WelcomeHandlers).isBroken = false;
      const page = await openTab(app);

      await page.goto('overview');
      await page.getByRole('link', { name: 'Events', exact: true }).click();
      expect(await page.getByRole('row').count()).toBe(3);
      await page.getByLabel('State of a run').selectOption('failed');
      await page.getByRole('button', { name: 'Filter' }).click();
      await page.waitForURL(/state=failed/);
      expect(await page.getByRole('row').count()).toBe(2);
      await page.getByLabel('Handler of the run').fill('welcome');
      await page.getByLabel('Text of its error').fill('NO MAIL');
      await page.getByLabel('Received from (UTC)').fill('2020-01-01T00:00:00');
      await page.getByLabel('Organization').fill('org_unknown');
      await page.getByRole('button', { name: 'Filter' }).click();
      await page.getByText('No event matches.').waitFor();
      await page.getByLabel('Organization').fill(String(event.organization_id));
      await page.getByRole('button', { name: 'Filter' }).click();
      await page.waitForURL(/state=failed&handler=welcome&error=NO\+MAIL/);
      expect(await page.getByLabel('Text of its error').inputValue()).toBe('NO MAIL');
      expect(await page.getByRole('row').count()).toBe(2);
      await page.getByRole('link', { name: event.id }).click();
      await page.getByRole('button', { name: 'Replay welcome' }).focus();
      await page.keyboard.press('Enter');

      expect(await page.getByRole('status').textContent()).toBe('Replayed: every handler that ran is done.');
      expect(app.get(WelcomeHandlers).seen).toEqual([event.id]);
    },
    TIMEOUT_MS,
  );

  it.each(ADAPTERS)(
    'works without JavaScript on %s',
    async (_name, adapter) => {
      const inbox = new MemoryInboxStore();
      await store(inbox, 'evt_1', { welcome: 'dead' });
      const page = await openTab(await startDashboard(adapter, { inbox }), { javaScriptEnabled: false });

      await page.goto('entries');
      await page.getByRole('link', { name: 'evt_1' }).click();
      await page.getByRole('button', { name: 'Dismiss welcome' }).click();

      expect(await page.getByRole('status').textContent()).toMatch(/^Dismissed/);
      expect((await inbox.get({ endpoint: 'default', eventId: 'evt_1' }))?.runs[0]?.state).toBe('done');
    },
    TIMEOUT_MS,
  );

  it.each(ADAPTERS)(
    'is a 403 without what the guard asks for, on %s',
    async (_name, adapter) => {
      const page = await openTab(await startDashboard(adapter), { extraHTTPHeaders: {} });

      expect((await page.goto('overview'))?.status()).toBe(403);
      expect(await page.textContent('body')).not.toContain('Endpoint');
    },
    TIMEOUT_MS,
  );

  it.each(ADAPTERS)(
    'does not do what the form of another site asks for, on %s',
    async (_name, adapter) => {
      const inbox = new MemoryInboxStore();
      await store(inbox, 'evt_1', { welcome: 'dead' });
      const page = await openTab(await startDashboard(adapter, { inbox }));
      await page.goto('entry?endpoint=default&event=evt_1');
      const form = page.locator('form', { has: page.getByRole('button', { name: 'Dismiss welcome' }) });
      const address = new URL((await form.getAttribute('action')) ?? '', page.url());
      await page.route('http://other.test/', (route) =>
        route.fulfill({
          contentType: 'text/html',
          body: `<form method="post" enctype="text/plain" action="${address}"><button>Win</button></form>`,
        }),
      );

      await page.goto('http://other.test/');
      await page.getByRole('button').click();
      await page.waitForURL(/\/act\?/);

      expect(await page.getByRole('heading').textContent()).toBe('Nothing was done');
      expect((await inbox.get({ endpoint: 'default', eventId: 'evt_1' }))?.runs[0]?.state).toBe('dead');
    },
    TIMEOUT_MS,
  );

  it.each(ADAPTERS)(
    'refreshes itself on %s, but not under the hands of its reader',
    async (_name, adapter) => {
      const inbox = new MemoryInboxStore();
      const page = await openTab(await startDashboard(adapter, { inbox }));
      await page.clock.install();
      await page.goto('entries');
      await page.getByText('No event matches.').waitFor();

      await store(inbox, 'evt_1', { welcome: 'dead' });
      await page.clock.runFor(REFRESH_MS);
      await page.getByRole('link', { name: 'evt_1' }).waitFor();

      const requests: string[] = [];
      page.on('request', (request) => requests.push(request.url()));
      await page.getByRole('link', { name: 'evt_1' }).focus();
      await page.clock.runFor(3 * REFRESH_MS);
      expect(requests).toEqual([]);

      await page.getByLabel('Refresh every 10 seconds').uncheck();
      await page.clock.runFor(3 * REFRESH_MS);
      expect(requests).toEqual([]);
    },
    TIMEOUT_MS,
  );

  it(
    'shows hostile texts as texts',
    async () => {
      const hostile = `</title></script>"'><img src=x onerror="window.isHacked=true"><script>isHacked=true</script>`;
      const inbox = new MemoryInboxStore();
      await store(inbox, hostile, { [hostile]: 'dead' }, { type: hostile, error: hostile });
      const page = await openTab(await startDashboard(onExpress, { inbox }));

      await page.goto('overview');
      expect(await page.evaluate('window.isHacked')).toBeUndefined();
      await page.goto(`entries?type=${encodeURIComponent(hostile)}`);
      expect(await page.evaluate('window.isHacked')).toBeUndefined();
      await page.getByRole('link', { name: hostile }).click();
      expect(await page.getByRole('heading', { level: 1 }).textContent()).toBe(`Event ${hostile}`);
      expect(await page.evaluate('window.isHacked')).toBeUndefined();
    },
    TIMEOUT_MS,
  );

  it.each(['light', 'dark'] as const)(
    'has nothing that axe finds, and fits on a phone, in %s colors',
    async (colorScheme) => {
      const inbox = new SqliteInboxStore({ database: openSqlite(':memory:') });
      const app = await startDashboard(onFastify, {
        inbox,
        withWorker: true,
        dashboard: { guards: [AdminGuard], imports: [OperatorsModule], canReadPayload: () => true },
      });
      const id = `evt_${'long'.repeat(20)}`;
      const payload = JSON.stringify({ text: 'wide '.repeat(100) });
      const runs = { welcome: 'dead', [`Handlers.${'name'.repeat(30)}`]: 'failed', third: 'done' } as const;
      await store(inbox, id, runs, { payload });
      const page = await openTab(app, { colorScheme, viewport: { width: 320, height: 640 } });

      for (const address of [
        'overview',
        'overview?done=1&did=paused',
        'entries',
        'entries?type=none',
        `entry?endpoint=default&event=${id}&did=failed`,
        `payload?endpoint=default&event=${id}`,
        'entry?endpoint=default&event=unknown',
      ]) {
        await page.goto(address);
        const width = await page.evaluate('document.documentElement.scrollWidth');
        const background = await page.evaluate('getComputedStyle(document.body).backgroundColor');

        expect({ address, violations: await violationsOn(page) }).toEqual({ address, violations: [] });
        expect({ address, width }).toEqual({ address, width: 320 });
        expect(background).toBe(colorScheme === 'light' ? 'rgb(255, 255, 255)' : 'rgb(15, 19, 24)');
      }
    },
    TIMEOUT_MS,
  );

  it(
    'can be used with the keyboard',
    async () => {
      const page = await openTab(await startDashboard(onExpress));
      const focused = () => page.evaluate('document.activeElement.textContent');
      await page.goto('overview');

      await page.keyboard.press('Tab');
      expect(await focused()).toBe('Skip to content');
      expect(await page.evaluate('document.activeElement.getBoundingClientRect().left')).toBeGreaterThan(0);
      await page.keyboard.press('Enter');
      expect(await page.evaluate('document.activeElement.id')).toBe('main');
      await page.keyboard.press('Tab');
      expect(await page.evaluate('getComputedStyle(document.activeElement).outlineStyle')).toBe('solid');
    },
    TIMEOUT_MS,
  );
});
