import { type DynamicModule, Module } from '@nestjs/common';
import { DiscoveryModule } from '@nestjs/core';
import { DeliveryLog } from './dispatch/delivery.log.js';
import { EndpointHandlers } from './dispatch/endpoint.handlers.js';
import { EventEmitterBridge } from './dispatch/event-emitter.bridge.js';
import { HandlerExplorer } from './dispatch/handler.explorer.js';
import { HandlerInvoker } from './dispatch/handler.invoker.js';
import { ScalekitEventDispatcher } from './dispatch/scalekit-event.dispatcher.js';
import { EndpointReporter } from './endpoint.reporter.js';
import { ScalekitInbox } from './inbox/scalekit-inbox.js';
import { EndpointUrl } from './receive/endpoint.url.js';
import { RawBodyCapture } from './receive/raw-body.capture.js';
import { WebhookResponder } from './respond/webhook.responder.js';
import { ConfigurableModuleClass, type OPTIONS_TYPE } from './scalekit-webhooks.module-definition.js';
import { EndpointSecrets } from './verify/endpoint.secrets.js';

/**
 * Receives Scalekit's webhooks. Import it once for each endpoint; methods decorated with `@OnScalekitEvent`
 * anywhere in the application get the events.
 *
 * @example
 * ```ts
 * @Module({ imports: [ScalekitWebhooksModule.forRoot()], providers: [UserHandlers] })
 * export class AppModule {}
 * ```
 */
@Module({
  imports: [DiscoveryModule],
  providers: [
    DeliveryLog,
    EndpointHandlers,
    EndpointReporter,
    EndpointSecrets,
    EndpointUrl,
    EventEmitterBridge,
    HandlerExplorer,
    HandlerInvoker,
    RawBodyCapture,
    ScalekitEventDispatcher,
    ScalekitInbox,
    WebhookResponder,
  ],
  exports: [ScalekitEventDispatcher, ScalekitInbox],
})
export class ScalekitWebhooksModule extends ConfigurableModuleClass {
  /**
   * @param options without a `signingSecret`, `SCALEKIT_WEBHOOK_SECRET` is read
   * @throws ScalekitWebhooksConfigurationError while the application starts, for a setting that cannot work
   */
  static override forRoot(options: typeof OPTIONS_TYPE = {}): DynamicModule {
    return super.forRoot(options);
  }
}
