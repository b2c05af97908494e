import { Module } from '@nestjs/common';
import { ConfigModule, ConfigService } from '@nestjs/config';
import { ScalekitWebhooksModule, type ScalekitWebhooksOptions } from 'nestjs-scalekit-webhooks';
import { AuditHandlers } from './audit.handlers.js';

/** The settings of one endpoint, from variables that begin with its name in capitals. */
function settingsOf(prefix: 'LIVE' | 'STAGING') {
  return (config: ConfigService): ScalekitWebhooksOptions => ({
    signingSecret: config.getOrThrow<string>(`${prefix}_WEBHOOK_SECRET`).split(','),
    environmentId: config.getOrThrow<string>(`${prefix}_ENVIRONMENT_ID`),
  });
}

@Module({
  imports: [
    ConfigModule.forRoot({ isGlobal: true }),
    ScalekitWebhooksModule.forRootAsync({
      name: 'live',
      path: 'webhooks/live',
      inject: [ConfigService],
      useFactory: settingsOf('LIVE'),
    }),
    ScalekitWebhooksModule.forRootAsync({
      name: 'staging',
      path: 'webhooks/staging',
      inject: [ConfigService],
      useFactory: settingsOf('STAGING'),
    }),
  ],
  providers: [AuditHandlers],
})
export class AppModule {}
