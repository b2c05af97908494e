import { Module } from '@nestjs/common';
import { ScalekitWebhooksModule } from 'nestjs-scalekit-webhooks';
import { SqliteInboxStore } from 'nestjs-scalekit-webhooks/sqlite';
import { DatabaseModule } from './database.module.js';
import { SeatHandlers } from './seat.handlers.js';
import { SeatsController } from './seats.controller.js';
import { SqliteFile } from './sqlite.file.js';

@Module({
  imports: [
    DatabaseModule,
    ScalekitWebhooksModule.forRootAsync({
      imports: [DatabaseModule],
      inject: [SqliteFile],
      useFactory: (file: SqliteFile) => ({ inbox: new SqliteInboxStore({ database: file.connect() }) }),
    }),
  ],
  controllers: [SeatsController],
  providers: [SeatHandlers],
})
export class AppModule {}
