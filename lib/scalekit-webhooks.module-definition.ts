import { ConfigurableModuleBuilder, type DynamicModule } from '@nestjs/common';
import {
  ENDPOINT_OPTIONS,
  type EndpointOptions,
  resolveEndpointOptions,
} from './receive/endpoint.options.js';
import { createWebhookController } from './receive/webhook.controller.js';
import {
  RESOLVED_OPTIONS,
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

export const { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN, OPTIONS_TYPE, ASYNC_OPTIONS_TYPE } =
  new ConfigurableModuleBuilder<ScalekitWebhooksOptions>({
    moduleName: 'ScalekitWebhooks',
    optionsInjectionToken: Symbol.for('nestjs-scalekit-webhooks:given-options'),
  })
    .setClassMethodName('forRoot')
    .setFactoryMethodName('createScalekitWebhooksOptions')
    .setExtras(EXTRAS, withEndpoint)
    .build();
