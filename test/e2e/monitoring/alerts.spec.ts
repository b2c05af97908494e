import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { NonRetryableEventError } from 'nestjs-scalekit-webhooks';
import { SimulatedEventsApi } from 'nestjs-scalekit-webhooks/testing';
import { anchors, readMarkdown } from '../../docs/markdown.js';
import { cleanUpAfterTest, temporaryDirectory } from '../../helpers/cleanup.js';
import { holdClock, holdDate } from '../../helpers/clock.js';
import { PostgresServer } from '../../helpers/postgres-server.js';
import { labelsUsedIn, parsePromQl } from '../../helpers/promql.js';
import { OTHER_SECRET, SECRET } from '../../helpers/secrets.js';
import { describeWithServers } from '../../helpers/services.js';
import { isPromtoolInstalled, RULES, Timeline } from '../../helpers/timeline.js';
import { MonitoredApp } from './monitored-app.js';

const PAGE = 'production.md';
const DAY_IN_MINUTES = 24 * 60;
const TIMEOUT_MS = 120_000;
const shown = new Set<string>();
/** The labels of each metric that was scraped in any of the tests. */
const scraped = new Map<string, Set<string>>();
const PANELS: readonly { title: string; targets: readonly { expr: string; legendFormat: string }[] }[] =
  JSON.parse(readFileSync(new URL('../../../docs/monitoring/grafana.json', import.meta.url), 'utf8')).panels;

if (!isPromtoolInstalled) {
  process.stderr.write('Skipped: the same alerts by Prometheus. promtool is not installed.\n');
}

describeWithServers('postgres', 'the alerts, on an application with a web process and a worker', () => {
  let server: PostgresServer;
  let directory: string;
  let timeline: Timeline;
  let app: MonitoredApp;
  let applications = 0;

  beforeAll(async () => {
    server = await PostgresServer.start();
    directory = await temporaryDirectory();
  }, TIMEOUT_MS);

  afterAll(() => server.stop(), TIMEOUT_MS);

  beforeEach(() => {
    holdDate();
    timeline = new Timeline();
    applications += 1;
    app = new MonitoredApp(server.url, `shop-${applications}`, timeline);
    cleanUpAfterTest(async () => {
      for (const { name, labels } of timeline.scrapes.flatMap(({ samples }) => samples)) {
        const known = scraped.get(name) ?? new Set(['']);
        for (const label of Object.keys(labels)) known.add(label);
        scraped.set(name, known);
      }
      if (isPromtoolInstalled) expect(await timeline.promtool(directory)).toBe('');
    });
  });

  let isDown = false;

  /** Kills the server. It is back after the test at the latest. */
  async function killPostgres(): Promise<void> {
    isDown = true;
    cleanUpAfterTest(launchPostgres);
    await server.kill();
  }

  async function launchPostgres(): Promise<void> {
    if (isDown) await server.launch();
    isDown = false;
  }

  /** Starts both processes, and lets them work for a while. No alert fires. */
  async function startBoth(minutes = 10) {
    const web = await app.start('web', { worker: false });
    const worker = await app.start('worker', { worker: true });
    await web.inbox.resume();
    await web.recovery.recover();
    await timeline.pass(minutes, async () => {
      expect(await web.deliver()).toEqual([202]);
      await web.untilIdle();
    });
    expect(timeline.firing()).toEqual([]);
    return { web, worker };
  }

  /** An alert fires among these by now. After the fix, it does not. */
  function expectFiring(alert: string, ...others: string[]): void {
    expect(timeline.firing()).toEqual([alert, ...others].sort());
    shown.add(alert);
  }

  it(
    'ScalekitInboxUnreachable and ScalekitDeliveriesFailing fire while Postgres is down, until it is back',
    async () => {
      const { web } = await startBoth();
      await killPostgres();

      await timeline.pass(10, async () => expect(await web.deliver(2)).toEqual([503, 503]));
      expectFiring('ScalekitInboxUnreachable', 'ScalekitDeliveriesFailing');
      expectFiring('ScalekitDeliveriesFailing', 'ScalekitInboxUnreachable');

      await launchPostgres();
      // A web process asks again only once in a while.
      await timeline.pass(1);
      await timeline.pass(20, async () => {
        expect(await web.deliver()).toEqual([202]);
        await web.untilIdle();
      });
      expect(timeline.firing()).toEqual([]);
    },
    TIMEOUT_MS,
  );

  it(
    'ScalekitInboxUnreachable fires while Postgres is down even if nothing is delivered and no worker runs',
    async () => {
      await app.start('web', { worker: false });
      await timeline.pass(1);
      await killPostgres();

      await timeline.pass(10);

      expectFiring('ScalekitInboxUnreachable');
    },
    TIMEOUT_MS,
  );

  it(
    'ScalekitMetricsMissing fires if no process is scraped, until one is',
    async () => {
      const { web, worker } = await startBoth();
      await web.stop();
      await worker.stop();

      await timeline.pass(6);
      expectFiring('ScalekitMetricsMissing');

      await app.start('web', { worker: true });
      await timeline.pass(1);
      expect(timeline.firing()).toEqual([]);
    },
    TIMEOUT_MS,
  );

  it(
    'ScalekitSignaturesFailing fires after a rotation of the secret, until the new secret is configured',
    async () => {
      const { web } = await startBoth();

      await timeline.pass(15, async () =>
        expect(await web.deliver(2, { secret: OTHER_SECRET })).toEqual([401, 401]),
      );
      expectFiring('ScalekitSignaturesFailing');

      await web.stop();
      const next = await app.start('web', { worker: false, secrets: [OTHER_SECRET, SECRET] });
      await timeline.pass(15, async () => {
        expect(await next.deliver(2, { secret: OTHER_SECRET })).toEqual([202, 202]);
        await next.untilIdle();
      });
      expect(timeline.firing()).toEqual([]);
    },
    TIMEOUT_MS,
  );

  it(
    'ScalekitEventsRejected fires for signed events that break a rule, until they are let through',
    async () => {
      const { web } = await startBoth();
      const event = { data: { user: { id: 7 } } };

      await timeline.pass(3, async () => expect(await web.deliver(1, { event })).toEqual([400]));
      expectFiring('ScalekitEventsRejected');

      await web.stop();
      const next = await app.start('web', { worker: false, validation: 'lenient' });
      await timeline.pass(20, async () => {
        expect(await next.deliver(1, { event })).toEqual([202]);
        await next.untilIdle();
      });
      expectFiring('ScalekitFieldsDrifting');
    },
    TIMEOUT_MS,
  );

  it(
    'ScalekitFieldsDrifting fires for a day after an event with such a field',
    async () => {
      const web = await app.start('web', { worker: true, validation: 'lenient' });
      await timeline.pass(1);
      await web.deliver(1, { event: { data: { user: { id: 7 } } } });
      await timeline.pass(1);
      expectFiring('ScalekitFieldsDrifting');

      timeline.skip(DAY_IN_MINUTES);
      await timeline.pass(1, () => web.deliver());
      expect(timeline.firing()).toEqual([]);
    },
    TIMEOUT_MS,
  );

  it(
    'ScalekitUnknownEventType fires for a day after an event of such a type',
    async () => {
      const { web } = await startBoth();
      await web.deliver(1, { event: { type: 'planet.created' } });
      await timeline.pass(1);
      expectFiring('ScalekitUnknownEventType');

      timeline.skip(DAY_IN_MINUTES);
      await web.recovery.recover();
      await timeline.pass(1);
      expect(timeline.firing()).toEqual([]);
    },
    TIMEOUT_MS,
  );

  it(
    'ScalekitHandlerFailing and ScalekitDeadRuns fire if a handler fails for good, until it works and its runs are replayed',
    async () => {
      const { web } = await startBoth();
      app.mails.failure = new NonRetryableEventError('no such template');

      await timeline.pass(15, async () => {
        await web.deliver(2);
        await web.untilIdle();
      });
      expectFiring('ScalekitDeadRuns', 'ScalekitHandlerFailing');
      expectFiring('ScalekitHandlerFailing', 'ScalekitDeadRuns');

      delete app.mails.failure;
      expect(await web.inbox.replay({ state: 'dead' })).toEqual({ accepted: 30 });
      await web.untilIdle();
      await timeline.pass(15, async () => {
        await web.deliver(2);
        await web.untilIdle();
      });
      expect(timeline.firing()).toEqual([]);
      expect(app.mails.sent).toHaveLength(10 + 30 + 30);
    },
    TIMEOUT_MS,
  );

  it(
    'ScalekitDeadRuns stops if the runs are dismissed',
    async () => {
      const { web } = await startBoth();
      app.mails.failure = new Error('no mail server');
      await web.deliver();
      await web.untilIdle();
      await timeline.pass(10);
      expectFiring('ScalekitDeadRuns');

      const { entries } = await web.inbox.list({ state: 'dead' });
      for (const { eventId } of entries) await web.inbox.dismiss(eventId);
      await timeline.pass(1);
      expect(timeline.firing()).toEqual([]);
    },
    TIMEOUT_MS,
  );

  it(
    'ScalekitWorkerSilent, ScalekitBacklogGrowing and ScalekitBacklogOld fire if no worker runs, until one does',
    async () => {
      const { web, worker } = await startBoth(1);
      await worker.stop();

      await timeline.pass(27, () => web.deliver(10));
      expectFiring('ScalekitWorkerSilent', 'ScalekitBacklogGrowing');
      expectFiring('ScalekitBacklogGrowing', 'ScalekitWorkerSilent');
      await timeline.pass(20);
      expectFiring('ScalekitBacklogOld', 'ScalekitWorkerSilent');

      await app.start('worker', { worker: true });
      await web.untilIdle();
      await timeline.pass(2);
      expect(timeline.firing()).toEqual([]);
      expect(app.mails.sent).toHaveLength(1 + 270);
    },
    TIMEOUT_MS,
  );

  it(
    'ScalekitWorkerSilent fires if the inbox is paused, until it is resumed',
    async () => {
      const { web, worker } = await startBoth();
      await worker.inbox.pause();

      await timeline.pass(25, () => web.deliver());
      expectFiring('ScalekitWorkerSilent');

      await worker.inbox.resume();
      await web.untilIdle();
      await timeline.pass(1);
      expect(timeline.firing()).toEqual([]);
    },
    TIMEOUT_MS,
  );

  it(
    'ScalekitRecoveryBehind fires if recoveries fail, until one is done',
    async () => {
      const api = new SimulatedEventsApi();
      let refusal: Error | undefined = new Error('permission denied');
      const recovery = {
        events: {
          listEventsPaginated: async (...args: Parameters<typeof api.client.events.listEventsPaginated>) => {
            if (refusal) throw refusal;
            return api.client.events.listEventsPaginated(...args);
          },
        },
      };
      const web = await app.start('web', { worker: true, recovery });
      holdClock();
      timeline.skip(0);
      // It tries again for half a minute before it fails.
      const fail = async () => {
        let end: unknown;
        web.recovery.recover().catch(({ code }) => {
          end = code;
        });
        while (end === undefined) {
          await jest.advanceTimersByTimeAsync(1000);
          // For what Postgres does meanwhile.
          await pause(10);
        }
      };
      await timeline.pass(5, fail);
      await timeline.pass(5);
      expectFiring('ScalekitRecoveryBehind');

      refusal = undefined;
      await web.recovery.recover();
      await timeline.pass(1);
      expect(timeline.firing()).toEqual([]);

      refusal = new Error('permission denied');
      timeline.skip(180);
      await timeline.pass(1, fail);
      await timeline.pass(5);
      expectFiring('ScalekitRecoveryBehind');
    },
    TIMEOUT_MS,
  );

  it('are all shown by these tests', () => {
    expect([...shown].sort()).toEqual(RULES.map(({ alert }) => alert).sort());
  });

  it.each(RULES.map((rule) => [rule.alert, rule] as const))(
    '%s uses metrics and labels that these tests have scraped',
    (_alert, { expr, annotations }) => {
      expectScraped(expr, annotations.summary ?? '');
    },
  );

  it.each(PANELS.map((panel) => [panel.title, panel] as const))(
    'the panel "%s" uses metrics and labels that these tests have scraped',
    (_title, { targets }) => {
      expect(targets.length).toBeGreaterThan(0);
      for (const { expr, legendFormat } of targets) {
        expectScraped(expr.replaceAll('$__rate_interval', '5m'), legendFormat);
      }
    },
  );

  /** The expression uses what was scraped, and the text only labels that the expression keeps. */
  function expectScraped(expr: string, text: string): void {
    const used = labelsUsedIn(parsePromQl(expr));
    const missing = used.filter(([name, label]) => !scraped.get(name)?.has(label));
    const printed = [...text.matchAll(/\{\{ ?(?:\$labels\.)?(\w+) ?\}\}/g)].map(([, label]) => label);
    expect(used.length).toBeGreaterThan(0);
    expect(missing).toEqual([]);
    expect(used.map(([, label]) => label)).toEqual(expect.arrayContaining(printed));
  }
});

describe('each alert', () => {
  const headings = readMarkdown(`docs/${PAGE}`).match(/^#{2,3} Scalekit.*$/gm) ?? [];

  it.each(RULES.map((rule) => [rule.alert, rule] as const))(
    '%s has its section',
    (alert, { annotations }) => {
      expect(annotations.runbook_url).toBe(`docs/${PAGE}#${alert.toLowerCase()}`);
      expect(anchors(`docs/${PAGE}`)).toContain(alert.toLowerCase());
    },
  );

  it('is the only kind of section with such a name', () => {
    expect(headings.map((heading) => heading.replace(/^#+ /, ''))).toEqual(RULES.map(({ alert }) => alert));
  });
});
