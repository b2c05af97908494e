import { BullModule } from '@nestjs/bullmq';
import { Module } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';

@Module({
  imports: [
    BullModule.forRootAsync({
      inject: [ConfigService],
      useFactory: (config: ConfigService) => ({
        connection: { url: config.getOrThrow<string>('REDIS_URL') },
        prefix: config.get<string>('QUEUE_PREFIX', 'bull'),
      }),
    }),
    BullModule.registerQueue({ name: 'scalekit' }),
  ],
  exports: [BullModule],
})
export class QueueModule {}
