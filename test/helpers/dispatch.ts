import type { ModuleMetadata } from '@nestjs/common';
import { ScalekitEventDispatcher, ScalekitWebhooksModule } from 'nestjs-scalekit-webhooks';
import { createScalekitEvent } from 'nestjs-scalekit-webhooks/testing';
import { CapturedLogger } from './captured-logger.js';
import { runOnExpress } from './running-app.js';
import { SECRET } from './secrets.js';

/** Starts an application with these handlers, and dispatches a `user.created` event without HTTP. */
export async function dispatch({ imports = [], ...metadata }: ModuleMetadata) {
  const logger = new CapturedLogger();
  const app = await runOnExpress(
    { imports: [ScalekitWebhooksModule.forRoot({ signingSecret: SECRET }), ...imports], ...metadata },
    undefined,
    { logger },
  );
  const event = createScalekitEvent('user.created');
  const result = await app.get(ScalekitEventDispatcher, { strict: false }).dispatch(event);
  return { ids: result.handlers.map(({ handlerId }) => handlerId), warnings: logger.ours('warn') };
}
