import { createBullBoard } from '@bull-board/api';
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter';
import { ExpressAdapter } from '@bull-board/express';
import { InjectQueue } from '@nestjs/bullmq';
import { type MiddlewareConsumer, Module, type NestModule } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import { Queue } from 'bullmq';
import { QueueModule } from './queue.module.js';
import { requirePassword } from './require-password.js';

@Module({ imports: [QueueModule] })
export class BoardModule implements NestModule {
  constructor(
    @InjectQueue('scalekit') private readonly queue: Queue,
    private readonly config: ConfigService,
  ) {}

  configure(consumer: MiddlewareConsumer): void {
    const serverAdapter = new ExpressAdapter().setBasePath('/queues');
    createBullBoard({ queues: [new BullMQAdapter(this.queue)], serverAdapter });
    consumer
      .apply(requirePassword(this.config.getOrThrow('BOARD_PASSWORD')), serverAdapter.getRouter())
      .forRoutes('/queues');
  }
}
