import type { ModuleMetadata } from '@nestjs/common';
import { OnScalekitEvent, ScalekitWebhooksModule } from 'nestjs-scalekit-webhooks';
import { SECRET } from './test-app.js';

/** Takes `user.created`, and does nothing about it. */
export class PlainHandlers {
  @OnScalekitEvent('user.created')
  created() {}
}

/** An application of one endpoint with one handler. */
export function aPlainEndpoint(): Required<Pick<ModuleMetadata, 'imports' | 'providers'>> {
  return {
    imports: [ScalekitWebhooksModule.forRoot({ signingSecret: SECRET })],
    providers: [PlainHandlers],
  };
}
