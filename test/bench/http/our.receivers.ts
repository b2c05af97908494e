import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { type AbstractHttpAdapter, NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { context } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus';
import { MeterProvider } from '@opentelemetry/sdk-metrics';
import { BasicTracerProvider, BatchSpanProcessor, type SpanExporter } from '@opentelemetry/sdk-trace-base';
import type { ScalekitEvent, ScalekitWebhooksOptions } from '../../../lib/index.js';
import { handleEvent, type Receiver, SECRET, TYPICAL_TYPE } from './receiver.js';

export const startOnExpress = startOn(() => new ExpressAdapter());
export const startOnFastify = startOn(() => new FastifyAdapter());
export const startOnFastifyObserved = startOn(() => new FastifyAdapter(), withOpenTelemetry);

/** This library with its defaults, unless there are `options`: verification, validation, the memory inbox, one handler. */
export function startOn(
  newAdapter: () => AbstractHttpAdapter,
  options?: (library: string) => Promise<ScalekitWebhooksOptions>,
): Receiver {
  return async (library) => {
    const { OnScalekitEvent, ScalekitWebhooksModule }: typeof import('../../../lib/index.js') = await import(
      library
    );

    class DirectoryHandlers {
      @OnScalekitEvent(TYPICAL_TYPE)
      async handle(event: ScalekitEvent<typeof TYPICAL_TYPE>) {
        await handleEvent(event);
      }
    }

    @Module({
      imports: [ScalekitWebhooksModule.forRoot({ signingSecret: SECRET, ...(await options?.(library)) })],
      providers: [DirectoryHandlers],
    })
    class AppModule {}

    const app = await NestFactory.create(AppModule, newAdapter(), { logger: false });
    return app.listen(0, '127.0.0.1');
  };
}

/** Spans are made and collected in batches, as in production, but sent nowhere. Metrics wait to be scraped. */
async function withOpenTelemetry(library: string): Promise<ScalekitWebhooksOptions> {
  const { OpenTelemetryObserver }: typeof import('../../../lib/opentelemetry/index.js') = await import(
    `${library}/opentelemetry`
  );
  const nowhere: SpanExporter = {
    export: (_spans, done) => done({ code: 0 }),
    shutdown: async () => {},
  };
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  const tracerProvider = new BasicTracerProvider({ spanProcessors: [new BatchSpanProcessor(nowhere)] });
  const meterProvider = new MeterProvider({
    readers: [new PrometheusExporter({ preventServerStart: true })],
  });
  return { observers: [new OpenTelemetryObserver({ tracerProvider, meterProvider })] };
}
