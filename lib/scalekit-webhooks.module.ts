import {
  ConfigurableModuleBuilder,
  type DynamicModule,
  Inject,
  Module,
  type NestModule,
} from '@nestjs/common';
import { DiscoveryModule } from '@nestjs/core';
import { DeliveryLog } from './dispatch/delivery.log.js';
import { DrainModule, RESOLVED_OPTIONS } from './dispatch/dispatch.providers.js';
import { EndpointHandlers, EventEmitterBridge } from './dispatch/endpoint.handlers.js';
import { HandlerExplorer } from './dispatch/handler.explorer.js';
import { HandlerInvoker } from './dispatch/handler.invoker.js';
import { ScalekitEventDispatcher } from './dispatch/scalekit-event.dispatcher.js';
import { DeliveryResponder } from './receive/delivery.responder.js';
import { EndpointReporter } from './receive/endpoint.reporter.js';
import { EndpointUrl } from './receive/endpoint.routes.js';
import { EndpointSecrets } from './receive/endpoint.secrets.js';
import { DeliveryCapture, RawBodyCapture } from './receive/raw-body.capture.js';
import { DeliveryReader } from './receive/raw-body.js';
import {
  ENDPOINT_OPTIONS,
  ENDPOINT_SECRETS,
  ENDPOINT_URL,
  type EndpointOptions,
  resolveEndpointOptions,
} from './receive/receive.options.js';
import { DeliveryVerifier } from './receive/scalekit-signature.guard.js';
import { createWebhookController } from './receive/webhook.controller.js';
import { ScalekitInbox } from './replay/scalekit-inbox.js';
import {
  getScalekitDispatcherToken,
  getScalekitInboxToken,
  InjectionCheck,
  SCALEKIT_WEBHOOKS_OPTIONS,
} from './scalekit-webhooks.injection.js';
import type {
  ScalekitWebhooksEndpointOptions,
  ScalekitWebhooksOptions,
} from './scalekit-webhooks.options.js';
import { checkForRoot, checkForRootAsync, resolveOptions } from './scalekit-webhooks.resolve-options.js';

const ENDPOINT_DEFAULTS: ScalekitWebhooksEndpointOptions = {
  path: undefined,
  name: undefined,
  controllerDecorators: undefined,
  isGlobal: undefined,
};

const { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN, ASYNC_OPTIONS_TYPE } =
  new ConfigurableModuleBuilder<ScalekitWebhooksOptions>({
    moduleName: 'ScalekitWebhooks',
    optionsInjectionToken: SCALEKIT_WEBHOOKS_OPTIONS,
  })
    .setClassMethodName('forRoot')
    .setFactoryMethodName('createScalekitWebhooksOptions')
    .setExtras(ENDPOINT_DEFAULTS, withEndpoint)
    .build();

/**
 * Receives Scalekit's webhooks and passes each event to the methods decorated with `@OnScalekitEvent`, anywhere in the
 * application. Import it once for each endpoint.
 *
 * @example
 * ```ts
 * @Module({ imports: [ScalekitWebhooksModule.forRoot()], providers: [UserHandlers] })
 * export class AppModule {}
 * ```
 */
@Module({
  imports: [DiscoveryModule, DrainModule],
  providers: [
    // Receives deliveries
    RawBodyCapture,
    DeliveryCapture,
    DeliveryReader,
    DeliveryVerifier,
    DeliveryResponder,
    EndpointUrl,
    EndpointSecrets,
    EndpointReporter,
    // Passes events to their handlers
    ScalekitEventDispatcher,
    EndpointHandlers,
    HandlerExplorer,
    HandlerInvoker,
    EventEmitterBridge,
    DeliveryLog,
    // Reads and replays the inbox
    ScalekitInbox,
    InjectionCheck,
  ],
  exports: [ScalekitEventDispatcher, ScalekitInbox],
})
export class ScalekitWebhooksModule extends ConfigurableModuleClass implements NestModule {
  readonly #url: EndpointUrl;

  constructor(@Inject(EndpointUrl) url: EndpointUrl) {
    super();
    this.#url = url;
  }

  /** Nest calls it before it registers the routes. */
  configure(): void {
    this.#url.requireOwnPath();
  }

  /**
   * Adds an endpoint with these options.
   *
   * @param options all optional; without a `signingSecret`, the environment variable `SCALEKIT_WEBHOOK_SECRET` is used
   * @throws ScalekitWebhooksConfigurationError if an option is unknown or invalid; it names the option
   */
  static override forRoot(
    options: ScalekitWebhooksOptions & ScalekitWebhooksEndpointOptions = {},
  ): DynamicModule {
    const { path, name, controllerDecorators, isGlobal, ...others } = checkForRoot(options);
    // A factory, because other code may print a module's definition, and the options contain a secret.
    return super.forRootAsync({ path, name, controllerDecorators, isGlobal, useFactory: () => others });
  }

  /**
   * Adds an endpoint whose options come from `useFactory`, `useClass` or `useExisting`.
   *
   * @param options `path`, `name`, `controllerDecorators` and `isGlobal` go here, next to the factory: Nest needs them
   * before it runs the factory
   * @throws ScalekitWebhooksConfigurationError if an option is unknown or invalid; if the factory returned it, at startup
   */
  static override forRootAsync(options: typeof ASYNC_OPTIONS_TYPE): DynamicModule {
    return super.forRootAsync(checkForRootAsync(options));
  }
}

/** Adds to the module of one endpoint what depends on its options. */
function withEndpoint(definition: DynamicModule, extras: ScalekitWebhooksEndpointOptions): DynamicModule {
  const endpoint = resolveEndpointOptions(extras);
  const inboxToken = getScalekitInboxToken(endpoint.name);
  const dispatcherToken = getScalekitDispatcherToken(endpoint.name);
  return {
    ...definition,
    global: extras.isGlobal ?? false,
    controllers: [createWebhookController(endpoint.path, extras.controllerDecorators ?? [])],
    providers: [
      ...(definition.providers ?? []),
      { provide: ENDPOINT_OPTIONS, useValue: endpoint },
      { provide: ENDPOINT_URL, useExisting: EndpointUrl },
      { provide: ENDPOINT_SECRETS, useExisting: EndpointSecrets },
      {
        provide: RESOLVED_OPTIONS,
        useFactory: (options: ScalekitWebhooksOptions, endpointOptions: EndpointOptions) =>
          resolveOptions(options, endpointOptions),
        inject: [MODULE_OPTIONS_TOKEN, ENDPOINT_OPTIONS],
      },
      { provide: inboxToken, useExisting: ScalekitInbox },
      { provide: dispatcherToken, useExisting: ScalekitEventDispatcher },
    ],
    exports: [...(definition.exports ?? []), inboxToken, dispatcherToken],
  };
}
