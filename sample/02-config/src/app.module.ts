import { Module } from '@nestjs/common';
import { ConfigModule, ConfigService } from '@nestjs/config';
import { ScalekitWebhooksModule, type ScalekitWebhooksOptions } from 'nestjs-scalekit-webhooks';
import { AuditHandlers } from './audit.handlers.js';

/** The options of one endpoint, from the environment variables with its prefix. */
function optionsOf(prefix: 'LIVE' | 'STAGING') {
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
      useFactory: optionsOf('LIVE'),
    }),
    ScalekitWebhooksModule.forRootAsync({
      name: 'staging',
      path: 'webhooks/staging',
      inject: [ConfigService],
      useFactory: optionsOf('STAGING'),
    }),
  ],
  providers: [AuditHandlers],
})
export class AppModule {}
