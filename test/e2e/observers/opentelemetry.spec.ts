import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { context, type Span, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus';
import { MeterProvider } from '@opentelemetry/sdk-metrics';
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base';
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import {
  InboxTransport,
  MemoryInboxStore,
  NonRetryableEventError,
  type ScalekitWebhooksOptions,
} from 'nestjs-scalekit-webhooks';
import { BullMqTransport } from 'nestjs-scalekit-webhooks/bullmq';
import { OpenTelemetryObserver } from 'nestjs-scalekit-webhooks/opentelemetry';
import { createScalekitEvent } from 'nestjs-scalekit-webhooks/testing';
import { cleanUpAfterTest } from '../../helpers/cleanup.js';
import { deferred } from '../../helpers/deferred.js';
import { freePort } from '../../helpers/free-port.js';
import { redisInboxHarness } from '../../helpers/redis-inbox.js';
import { aUserCreated, startScriptedApp } from '../../helpers/scripted-app.js';
import { describeWithService } from '../../helpers/services.js';
import { ADAPTERS } from '../../helpers/test-app.js';
import { until } from '../../helpers/until.js';
import { FAST, startHandlers } from '../background/background-app.js';
import { sqliteInbox } from '../recovery/recovery-app.js';

let spans: InMemorySpanExporter;
let tracerProvider: BasicTracerProvider;

beforeEach(() => {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  spans = new InMemorySpanExporter();
  tracerProvider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] });
});

afterEach(() => {
  context.disable();
});

function finished(name: string): ReadableSpan[] {
  return spans.getFinishedSpans().filter((span) => span.name === name);
}

describe.each(ADAPTERS)('OpenTelemetryObserver, on %s', (_name, adapter) => {
  it('makes a span for a delivery, and for each of its runs within it', async () => {
    const observers = [new OpenTelemetryObserver({ tracerProvider })];
    const { scalekit, first } = await startScriptedApp(adapter, { observers });
    let within: Span | undefined;
    first.mockImplementationOnce(async () => {
      within = trace.getActiveSpan();
      throw new TypeError('no such tenant');
    });
    const event = aUserCreated();

    await scalekit.deliver(event);

    const [delivery, ...others] = finished('deliver default');
    expect(others).toEqual([]);
    expect(delivery).toMatchObject({
      kind: SpanKind.CONSUMER,
      status: { code: SpanStatusCode.ERROR },
      attributes: {
        'messaging.system': 'scalekit',
        'messaging.destination.name': 'default',
        'messaging.operation.name': 'deliver',
        'messaging.operation.type': 'process',
        'messaging.message.id': event.id,
        'scalekit.event.type': 'user.created',
        'scalekit.delivery.outcome': 'failed',
        'error.type': 'failed',
      },
    });
    const runs = finished('run default');
    expect(runs.map(({ parentSpanContext }) => parentSpanContext?.spanId)).toEqual(
      Array.from({ length: 2 }, () => delivery?.spanContext().spanId),
    );
    const failed = runs.find(({ status }) => status.code === SpanStatusCode.ERROR);
    expect(failed).toMatchObject({
      attributes: {
        'messaging.consumer.group.name': 'First.handle',
        'scalekit.run.attempt': 1,
        'scalekit.run.source': 'request',
        'scalekit.run.state': 'failed',
        'error.type': 'TypeError',
      },
    });
    expect(within?.spanContext()).toEqual(failed?.spanContext());
  });

  it('makes a span for a delivery that was refused', async () => {
    const observers = [new OpenTelemetryObserver({ tracerProvider })];
    const { scalekit } = await startScriptedApp(adapter, { observers });

    await scalekit.deliver('{}');

    expect(finished('deliver default')).toMatchObject([
      {
        status: { code: SpanStatusCode.UNSET },
        attributes: { 'scalekit.delivery.outcome': 'invalid_event', 'http.response.status_code': 400 },
      },
    ]);
  });
});

/** The runs of a delivery that has been answered are in its trace. */
async function expectOneTrace(options: ScalekitWebhooksOptions): Promise<void> {
  const observers = [new OpenTelemetryObserver({ tracerProvider })];
  const { scalekit } = await startHandlers({ ...options, observers });

  const { status } = await scalekit.deliver(createScalekitEvent('user.created'));
  const runs = await until(
    () => finished('run default'),
    ({ length }) => length === 2,
  );

  const [delivery] = finished('deliver default');
  const { traceId, spanId } = delivery?.spanContext() ?? {};
  expect(status).toBe(202);
  for (const run of runs) {
    expect(run.spanContext().traceId).toBe(traceId);
    expect(run.parentSpanContext).toMatchObject({ traceId, spanId, isRemote: true });
    expect(run.links).toMatchObject([{ context: { traceId, spanId } }]);
  }
}

describe('OpenTelemetryObserver, of runs that were stored', () => {
  it('continues the trace of the delivery in a worker of the inbox', async () => {
    await expectOneTrace({ inbox: await sqliteInbox(), transport: new InboxTransport(FAST) });
  });

  it('begins a trace for a run without one', async () => {
    const inbox = await sqliteInbox();
    const { scalekit, inbox: service } = await startHandlers({
      inbox,
      transport: new InboxTransport(FAST),
      observers: [
        { carry: () => ({ traceparent: '00-broken' }) },
        new OpenTelemetryObserver({ tracerProvider }),
      ],
    });
    await service.pause();
    context.disable();
    await scalekit.deliver(createScalekitEvent('user.created'));
    await service.resume();

    const runs = await until(
      () => finished('run default'),
      ({ length }) => length === 2,
    );
    expect(runs.map(({ links }) => links)).toEqual([[], []]);
  });
});

await describeWithService('redis', 'OpenTelemetryObserver, with BullMQ', (url) => {
  it('continues the trace of the delivery in a worker of the queue', async () => {
    const redis = new Redis(url, { maxRetriesPerRequest: null });
    const prefix = `test-${randomUUID()}`;
    const queue = new Queue('scalekit', { connection: { url }, prefix });
    const { store, dispose } = redisInboxHarness(redis);
    cleanUpAfterTest(async () => {
      await queue.obliterate({ force: true });
      await queue.close();
      await dispose();
      redis.disconnect();
    });
    await expectOneTrace({ inbox: store, transport: new BullMqTransport({ queue }) });
  });
});

describe('OpenTelemetryObserver, scraped by Prometheus', () => {
  async function startScraped(options: ScalekitWebhooksOptions, inboxIntervalMs = 1) {
    const port = await freePort();
    const reader = new PrometheusExporter({
      host: '127.0.0.1',
      port,
      withoutScopeInfo: true,
      withoutTargetInfo: true,
    });
    await until(
      () =>
        fetch(`http://127.0.0.1:${port}/metrics`).then(
          () => true,
          () => false,
        ),
      Boolean,
    );
    const meterProvider = new MeterProvider({ readers: [reader] });
    cleanUpAfterTest(() => meterProvider.shutdown());
    const observer = new OpenTelemetryObserver({ tracerProvider, meterProvider, inboxIntervalMs });
    const observers = [observer];
    const bench = await startScriptedApp(ADAPTERS[0]?.[1] as never, { ...options, observers });
    const scrape = async (metric: string) => {
      const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
      return text.split('\n').filter((line) => line.startsWith(`${metric}{`));
    };
    return { ...bench, reader, observer, scrape };
  }

  it('counts deliveries, attempts, unknown types and drifted fields', async () => {
    const { scalekit, first, scrape } = await startScraped({ validation: 'lenient' });
    first.mockRejectedValueOnce(new RangeError('out'));
    await scalekit.deliver(aUserCreated());
    await scalekit.deliver('{}');
    await scalekit.deliver({ ...aUserCreated(), type: 'planet.created' });
    await scalekit.deliver({ ...aUserCreated(), data: { user: { id: 7 } } });

    const at = 'messaging_system="scalekit",messaging_destination_name="default"';
    expect(await scrape('scalekit_webhook_delivery_duration_count')).toEqual([
      `scalekit_webhook_delivery_duration_count{${at},scalekit_event_type="user.created",scalekit_delivery_outcome="failed"} 1`,
      `scalekit_webhook_delivery_duration_count{${at},scalekit_delivery_outcome="invalid_event"} 1`,
      `scalekit_webhook_delivery_duration_count{${at},scalekit_event_type="_OTHER",scalekit_delivery_outcome="ignored"} 1`,
      `scalekit_webhook_delivery_duration_count{${at},scalekit_event_type="user.created",scalekit_delivery_outcome="processed"} 1`,
    ]);
    expect(await scrape('scalekit_webhook_unknown_types_total')).toEqual([
      `scalekit_webhook_unknown_types_total{${at},scalekit_event_type="planet.created"} 1`,
    ]);
    expect(await scrape('scalekit_webhook_drifted_fields_total')).toContain(
      `scalekit_webhook_drifted_fields_total{${at},scalekit_event_type="user.created",field="data.user.id",rule="isString"} 1`,
    );
    expect(await scrape('messaging_process_duration_count')).toContain(
      `messaging_process_duration_count{${at},scalekit_event_type="user.created",messaging_operation_name="run",messaging_consumer_group_name="First.handle",scalekit_run_state="failed",error_type="RangeError"} 1`,
    );
    expect(await scrape('messaging_process_duration_count')).toHaveLength(3);
    expect(await scrape('scalekit_webhook_lag_count')).toHaveLength(2);
  });

  it('shows what waits and what is dead in the inbox', async () => {
    const inbox = new MemoryInboxStore();
    const { scalekit, first, second, scrape } = await startScraped({ inbox });
    const event = aUserCreated();
    first.mockRejectedValueOnce(new NonRetryableEventError('gone'));
    second.mockRejectedValueOnce(new Error('down'));
    await scalekit.deliver(event);

    const runs = await scrape('scalekit_webhook_inbox_runs');
    expect(runs.map((line) => line.replace(/.*messaging_consumer/, ''))).toEqual([
      '_group_name="First.handle",scalekit_run_state="dead"} 1',
      '_group_name="Second.handle",scalekit_run_state="failed"} 1',
    ]);
    expect(await scrape('scalekit_webhook_inbox_oldest_waiting_age')).toHaveLength(1);

    await scalekit.deliver(event);
    await inbox.dismiss({ endpoint: 'default', eventId: event.id });
    const left = await until(
      () => scrape('scalekit_webhook_inbox_runs'),
      (lines) => lines.every((line) => line.endsWith(' 0')),
    );
    expect(left).toHaveLength(2);
  });

  it('counts faults, and answers while the inbox fails', async () => {
    const inbox = new MemoryInboxStore();
    const { scalekit, scrape } = await startScraped({ inbox, handlerTimeoutMs: 50 });
    const fail = async () => {
      throw new Error('down');
    };
    Object.assign(inbox, { stats: fail, claim: fail });
    await scalekit.deliver(aUserCreated());

    expect(await scrape('scalekit_webhook_inbox_runs')).toEqual([]);
    expect(await scrape('scalekit_webhook_inbox_faults_total')).toContainEqual(
      expect.stringContaining('scalekit_inbox_fault="claim_failed"} 1'),
    );
  });

  it('counts a fault if the inbox cannot be read, even without deliveries', async () => {
    const inbox = new MemoryInboxStore();
    const { scrape } = await startScraped({ inbox });
    expect(await scrape('scalekit_webhook_inbox_faults_total')).toEqual([]);
    Object.assign(inbox, {
      stats: async () => {
        throw new Error('down');
      },
    });

    const faults = await until(
      () => scrape('scalekit_webhook_inbox_faults_total'),
      ({ length }) => length > 0,
    );
    expect(faults).toEqual([expect.stringContaining('scalekit_inbox_fault="stats_failed"} ')]);
  });

  it('waits for an answer that another scrape has asked for', async () => {
    const inbox = new MemoryInboxStore();
    const { reader, scrape } = await startScraped({ inbox }, 60_000);
    const answer = deferred<[]>();
    Object.assign(inbox, { stats: () => answer.promise });

    const both = [reader.collect(), reader.collect()];
    answer.resolve([]);
    await Promise.all(both);

    expect(await scrape('scalekit_webhook_inbox_faults_total')).toEqual([]);
  });

  it('counts recoveries, and shows when the last one was done', async () => {
    const observed = { endpoint: 'default', durationMs: 1, isDryRun: false } as const;
    const { observer, scrape } = await startScraped({});
    observer.onRecovery({ ...observed, outcome: 'failed' });
    expect(await scrape('scalekit_webhook_recovery_last_done')).toEqual([]);

    observer.onRecovery({ ...observed, outcome: 'done' });
    const [line = ''] = await scrape('scalekit_webhook_recovery_last_done');

    expect(Math.abs(Date.now() / 1000 - Number(line.split(' ').at(-1)))).toBeLessThan(60);
    expect(await scrape('scalekit_webhook_recoveries_total')).toEqual([
      expect.stringContaining('scalekit_recovery_outcome="failed"} 1'),
      expect.stringContaining('scalekit_recovery_outcome="done"} 1'),
    ]);
  });
});
