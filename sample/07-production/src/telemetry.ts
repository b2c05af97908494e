import { metrics } from '@opentelemetry/api';
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus';
import { MeterProvider } from '@opentelemetry/sdk-metrics';

/** Serves `/metrics` on a port of its own, so that it is never public. Add a tracer provider here to export traces. */
export function startTelemetry(port: number): void {
  const reader = new PrometheusExporter({ host: process.env.METRICS_HOST ?? '127.0.0.1', port });
  metrics.setGlobalMeterProvider(new MeterProvider({ readers: [reader] }));
}
