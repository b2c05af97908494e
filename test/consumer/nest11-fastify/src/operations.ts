import { equal, match } from 'node:assert/strict';
import { Controller, Get, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { HealthCheck, HealthCheckService, TerminusModule } from '@nestjs/terminus';
import { context, metrics } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus';
import { MeterProvider } from '@opentelemetry/sdk-metrics';
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base';
import { OnScalekitEvent, ScalekitWebhooksModule } from 'nestjs-scalekit-webhooks';
import { OpenTelemetryObserver } from 'nestjs-scalekit-webhooks/opentelemetry';
import { ScalekitInboxHealthIndicator } from 'nestjs-scalekit-webhooks/terminus';
import { createScalekitEvent, ScalekitWebhookTester } from 'nestjs-scalekit-webhooks/testing';
import { createAdapter } from './adapter.js';

const spans = new InMemorySpanExporter();
const exporter = new PrometheusExporter({ host: '127.0.0.1', port: 0, preventServerStart: true });

@Controller('health')
class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly scalekit: ScalekitInboxHealthIndicator,
  ) {}

  @Get()
  @HealthCheck()
  check() {
    return this.health.check([() => this.scalekit.isHealthy('scalekit', { maxDeadRuns: 10 })]);
  }
}

class Handlers {
  @OnScalekitEvent('user.created')
  welcome(): void {}
}

@Module({
  imports: [
    TerminusModule,
    ScalekitWebhooksModule.forRoot({
      signingSecret: `whsec_${Buffer.from('a made-up secret for this test..').toString('base64')}`,
      observers: [
        new OpenTelemetryObserver({
          tracerProvider: new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] }),
        }),
      ],
    }),
  ],
  controllers: [HealthController],
  providers: [ScalekitInboxHealthIndicator, Handlers],
})
class AppModule {}

async function operate(): Promise<void> {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  metrics.setGlobalMeterProvider(new MeterProvider({ readers: [exporter] }));
  const app = await NestFactory.create(AppModule, createAdapter(), { logger: ['error', 'warn'] });
  await app.listen(0, '127.0.0.1');

  equal((await new ScalekitWebhookTester(app).deliver(createScalekitEvent('user.created'))).status, 201);

  const [run, delivery] = spans.getFinishedSpans();
  equal(run?.name, 'run default');
  equal(delivery?.name, 'deliver default');
  equal(run?.parentSpanContext?.spanId, delivery?.spanContext().spanId);
  const { resourceMetrics } = await exporter.collect();
  const names = resourceMetrics.scopeMetrics.flatMap((scope) =>
    scope.metrics.map(({ descriptor }) => descriptor.name),
  );
  match(names.join(), /messaging\.process\.duration/);
  const health = await fetch(`${await app.getUrl()}/health`);
  equal(health.status, 200);
  match(await health.text(), /"scalekit":\{[^}]*"status":"up"/);
  await app.close();
}

void operate();
