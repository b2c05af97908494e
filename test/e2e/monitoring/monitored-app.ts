import type { INestApplication } from '@nestjs/common';
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus';
import { MeterProvider } from '@opentelemetry/sdk-metrics';
import {
  InboxTransport,
  OnScalekitEvent,
  ScalekitInbox,
  ScalekitWebhooksModule,
  type ScalekitWebhooksOptions,
} from 'nestjs-scalekit-webhooks';
import { OpenTelemetryObserver } from 'nestjs-scalekit-webhooks/opentelemetry';
import { PostgresInboxStore } from 'nestjs-scalekit-webhooks/postgres';
import { ScalekitRecovery, ScalekitRecoveryModule } from 'nestjs-scalekit-webhooks/recovery';
import {
  createScalekitEvent,
  ScalekitWebhookTester,
  SimulatedEventsApi,
} from 'nestjs-scalekit-webhooks/testing';
import { Pool } from 'pg';
import { cleanUpAfterTest } from '../../helpers/cleanup.js';
import { deferred } from '../../helpers/deferred.js';
import { freePort } from '../../helpers/free-port.js';
import { SECRET } from '../../helpers/secrets.js';
import { ADAPTERS, startApp } from '../../helpers/test-app.js';
import type { Timeline } from '../../helpers/timeline.js';
import { until } from '../../helpers/until.js';

type Client = Parameters<typeof ScalekitRecoveryModule.forRoot>[0]['client'];

/** What the handler of all processes needs. The test can break it. */
export class MailServer {
  failure?: Error;
  readonly sent: string[] = [];
}

export class WelcomeHandlers {
  constructor(private readonly mails: MailServer) {}

  @OnScalekitEvent('user.created', { id: 'welcome', attempts: 3 })
  welcome({ id }: { readonly id: string }): void {
    if (this.mails.failure) throw this.mails.failure;
    this.mails.sent.push(id);
  }
}

/** How one of the processes of an application differs from the others. */
export interface ProcessOptions {
  readonly worker: boolean;
  readonly secrets?: string[];
  readonly validation?: ScalekitWebhooksOptions['validation'];
  readonly recovery?: Client;
}

/** An application on this Postgres, of several processes, each of which is scraped. It ends with its test. */
export class MonitoredApp {
  readonly mails = new MailServer();

  constructor(
    private readonly url: string,
    readonly name: string,
    private readonly timeline: Timeline,
  ) {}

  async start(instance: string, { worker, secrets = [SECRET], validation, recovery }: ProcessOptions) {
    const port = await freePort();
    const ready = deferred();
    const exporter = new PrometheusExporter({ host: '127.0.0.1', port }, () => ready.resolve());
    const meterProvider = new MeterProvider({ readers: [exporter] });
    const pool = new Pool({ connectionString: this.url, connectionTimeoutMillis: 2000 });
    pool.on('error', () => {});
    const app: INestApplication = await startApp(ADAPTERS[0]?.[1] as never, {
      imports: [
        ScalekitWebhooksModule.forRoot({
          signingSecret: secrets,
          inbox: new PostgresInboxStore({ client: pool, application: this.name }),
          // While Postgres is down, a delivery tries for as long to store its event.
          handlerTimeoutMs: 200,
          transport: new InboxTransport({ worker, pollIntervalMs: 20, backoff: 1 }),
          observers: [new OpenTelemetryObserver({ meterProvider, inboxIntervalMs: 1 })],
          ...(validation && { validation }),
        }),
        ScalekitRecoveryModule.forRoot({
          client: recovery ?? new SimulatedEventsApi().client,
          onStart: false,
        }),
      ],
      providers: [
        { provide: MailServer, useValue: this.mails },
        { provide: WelcomeHandlers, inject: [MailServer], useFactory: (mails) => new WelcomeHandlers(mails) },
      ],
    });
    await ready.promise;
    const unwatch = this.timeline.watch(instance, `http://127.0.0.1:${port}/metrics`);
    let isRunning = true;
    const stop = async () => {
      if (!isRunning) return;
      isRunning = false;
      unwatch();
      await app.close();
      await meterProvider.shutdown();
      await pool.end();
    };
    cleanUpAfterTest(stop);
    const scalekit = new ScalekitWebhookTester(app);
    const inbox = app.get(ScalekitInbox, { strict: false });
    return {
      stop,
      inbox,
      recovery: app.get(ScalekitRecovery, { strict: false }),
      /** Delivers new events, and returns the statuses of the responses. */
      async deliver(count = 1, options: { secret?: string; event?: object } = {}): Promise<number[]> {
        const { secret = SECRET, event } = options;
        const statuses: number[] = [];
        for (let number = 0; number < count; number += 1) {
          const one = { ...createScalekitEvent('user.created'), ...event };
          statuses.push((await scalekit.deliver(one, { secret })).status);
        }
        return statuses;
      },
      /** Resolves when no run is queued, running or failed. */
      untilIdle: () =>
        until(
          () => inbox.stats(['queued', 'running', 'failed']),
          (counts) => counts.length === 0,
        ),
    };
  }
}
