import { Module } from '@nestjs/common';
import { ScalekitWebhooksModule } from 'nestjs-scalekit-webhooks';
import { MembershipHandlers } from './membership.handlers.js';
import { TenantRegistry } from './tenant.registry.js';

@Module({
  imports: [ScalekitWebhooksModule.forRoot()],
  providers: [MembershipHandlers, TenantRegistry],
})
export class AppModule {}
