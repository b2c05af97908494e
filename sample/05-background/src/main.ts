import { NestFactory } from '@nestjs/core';
import { AppModule } from './app.module.js';

if (process.env.ROLE === 'worker') {
  const worker = await NestFactory.createApplicationContext(AppModule);
  worker.enableShutdownHooks();
} else {
  const app = await NestFactory.create(AppModule);
  app.enableShutdownHooks();
  await app.listen(process.env.PORT ?? 3000);
}
