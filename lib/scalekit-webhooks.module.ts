import { ConfigurableModuleBuilder, type DynamicModule, Module } from '@nestjs/common';
import { DiscoveryModule } from '@nestjs/core';
import { DeliveryLog } from './dispatch/delivery.log.js';
import { RESOLVED_OPTIONS } from './dispatch/dispatch.options.js';
import { EndpointHandlers, EventEmitterBridge } from './dispatch/endpoint.handlers.js';
import { HandlerExplorer } from './dispatch/handler.explorer.js';
import { HandlerInvoker } from './dispatch/handler.invoker.js';
import { ScalekitEventDispatcher } from './dispatch/scalekit-event.dispatcher.js';
import { EndpointReporter } from './receive/endpoint.reporter.js';
import { EndpointSecrets } from './receive/endpoint.secrets.js';
import { EndpointUrl } from './receive/endpoint.url.js';
import { RawBodyCapture } from './receive/raw-body.capture.js';
import { ENDPOINT_OPTIONS, type EndpointOptions, resolveEndpointOptions } from './receive/receive.options.js';
import { createWebhookController } from './receive/webhook.controller.js';
import { WebhookResponder } from './receive/webhook.responder.js';
import { ScalekitInbox } from './replay/scalekit-inbox.js';
import {
  resolveOptions,
  type ScalekitWebhooksEndpointOptions,
  type ScalekitWebhooksOptions,
} from './scalekit-webhooks.options.js';

const EXTRAS: ScalekitWebhooksEndpointOptions = {
  path: undefined,
  name: undefined,
  controllerDecorators: undefined,
  isGlobal: undefined,
};

/** The dynamic module of one endpoint: its options resolved, and a controller of its own. */
function withEndpoint(definition: DynamicModule, extras: ScalekitWebhooksEndpointOptions): DynamicModule {
  const endpoint = resolveEndpointOptions(extras);
  return {
    ...definition,
    global: extras.isGlobal ?? false,
    controllers: [createWebhookController(endpoint.path, extras.controllerDecorators ?? [])],
    providers: [
      ...(definition.providers ?? []),
      { provide: ENDPOINT_OPTIONS, useValue: endpoint },
      {
        provide: RESOLVED_OPTIONS,
        useFactory: (options: ScalekitWebhooksOptions, { path, name }: EndpointOptions) =>
          resolveOptions(options, { path, name }),
        inject: [MODULE_OPTIONS_TOKEN, ENDPOINT_OPTIONS],
      },
    ],
  };
}

const { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN, OPTIONS_TYPE } =
  new ConfigurableModuleBuilder<ScalekitWebhooksOptions>({
    moduleName: 'ScalekitWebhooks',
    optionsInjectionToken: Symbol.for('nestjs-scalekit-webhooks:given-options'),
  })
    .setClassMethodName('forRoot')
    .setFactoryMethodName('createScalekitWebhooksOptions')
    .setExtras(EXTRAS, withEndpoint)
    .build();

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
