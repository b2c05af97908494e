import type { ModuleMetadata } from '@nestjs/common';
import { OnScalekitEvent, ScalekitWebhooksModule } from 'nestjs-scalekit-webhooks';
import { SECRET } from './secrets.js';

/** Receives `user.created`, and does nothing. */
export class PlainHandlers {
  @OnScalekitEvent('user.created')
  created() {}
}

/** An application with one endpoint and one handler. */
export function aPlainEndpoint(): Required<Pick<ModuleMetadata, 'imports' | 'providers'>> {
  return {
    imports: [ScalekitWebhooksModule.forRoot({ signingSecret: SECRET })],
    providers: [PlainHandlers],
  };
}
