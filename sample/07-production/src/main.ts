import { NestFactory } from '@nestjs/core';
import { AppModule } from './app.module.js';
import { startTelemetry } from './telemetry.js';

startTelemetry(Number(process.env.METRICS_PORT ?? 9464));
// A worker listens as well, for its health check.
const app = await NestFactory.create(AppModule);
app.enableShutdownHooks();
await app.listen(process.env.PORT ?? 3000);
