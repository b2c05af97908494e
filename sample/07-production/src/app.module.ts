import { Module } from '@nestjs/common';
import { ConfigModule, ConfigService } from '@nestjs/config';
import { TerminusModule } from '@nestjs/terminus';
import { InboxTransport, ScalekitWebhooksModule } from 'nestjs-scalekit-webhooks';
import { ScalekitDashboardModule } from 'nestjs-scalekit-webhooks/dashboard';
import { OpenTelemetryObserver } from 'nestjs-scalekit-webhooks/opentelemetry';
import { PostgresInboxStore } from 'nestjs-scalekit-webhooks/postgres';
import { ScalekitInboxHealthIndicator } from 'nestjs-scalekit-webhooks/terminus';
import { Pool } from 'pg';
import { DatabaseModule } from './database.module.js';
import { HealthController } from './health.controller.js';
import { MemberHandlers } from './member.handlers.js';
import { OperatorGuard } from './operator.guard.js';

@Module({
  imports: [
    ConfigModule.forRoot({ isGlobal: true }),
    TerminusModule,
    ScalekitWebhooksModule.forRootAsync({
      imports: [DatabaseModule],
      inject: [ConfigService, Pool],
      useFactory: (config: ConfigService, client: Pool) => ({
        inbox: new PostgresInboxStore({ client, application: 'members' }),
        transport: new InboxTransport({
          worker: config.get('ROLE') === 'web' ? false : { concurrency: 5 },
        }),
        observers: [new OpenTelemetryObserver()],
      }),
    }),
    ScalekitDashboardModule.forRoot({ path: 'admin/webhooks', guards: [OperatorGuard] }),
  ],
  controllers: [HealthController],
  providers: [MemberHandlers, ScalekitInboxHealthIndicator],
})
export class AppModule {}
