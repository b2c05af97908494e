import { ConfigurableModuleBuilder, type DynamicModule, Inject, Module } from '@nestjs/common';
import { DrainModule } from '../dispatch/dispatch.providers.js';
import { checkOptions, requireText } from '../errors/settings.js';
import {
  ENDPOINT_CHECKS,
  resolveRecoveryOptions,
  type ScalekitRecoveryEndpointOptions,
  type ScalekitRecoveryOptions,
} from './recovery.options.js';
import { RECOVERY_ENDPOINT, RECOVERY_OPTIONS, ScalekitRecovery } from './scalekit-recovery.js';

const DEFAULT_ENDPOINT = 'default';
const ENDPOINT_DEFAULTS: ScalekitRecoveryEndpointOptions = { endpoint: undefined };

const { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN, ASYNC_OPTIONS_TYPE } =
  new ConfigurableModuleBuilder<ScalekitRecoveryOptions>({ moduleName: 'ScalekitRecovery' })
    .setClassMethodName('forRoot')
    .setFactoryMethodName('createScalekitRecoveryOptions')
    .setExtras(ENDPOINT_DEFAULTS, withEndpoint)
    .build();

/**
 * Recovers events that never arrived, because the application was down for longer than Scalekit retries: when the
 * application has started, and every hour. Import it next to `ScalekitWebhooksModule`, once for each endpoint.
 *
 * @example
 * ```ts
 * ScalekitRecoveryModule.forRoot({
 *   client: new ScalekitClient(environmentUrl, clientId, clientSecret),
 * });
 * ```
 */
@Module({ imports: [DrainModule], providers: [ScalekitRecovery], exports: [ScalekitRecovery] })
export class ScalekitRecoveryModule extends ConfigurableModuleClass {
  /**
   * @param options only `client` is required
   * @throws ScalekitWebhooksConfigurationError if an option is unknown or invalid; it names the option
   */
  static override forRoot(options: ScalekitRecoveryOptions & ScalekitRecoveryEndpointOptions): DynamicModule {
    const { endpoint, ...others } = Object(options) as typeof options;
    checkOptions({ endpoint }, ENDPOINT_CHECKS);
    resolveRecoveryOptions(others);
    // A factory, because other code may print a module's definition, and the client contains a secret.
    return super.forRootAsync({ endpoint, useFactory: () => others });
  }

  /**
   * @param options `endpoint` goes here, next to the factory
   * @throws ScalekitWebhooksConfigurationError if an option is unknown or invalid; if the factory returned it, at startup
   */
  static override forRootAsync(options: typeof ASYNC_OPTIONS_TYPE): DynamicModule {
    checkOptions({ endpoint: options.endpoint }, ENDPOINT_CHECKS);
    return super.forRootAsync(options);
  }
}

/**
 * Injection token of the {@link ScalekitRecovery} of one endpoint.
 *
 * @param endpoint the endpoint's `name`. Default: `'default'`
 */
export function getScalekitRecoveryToken(endpoint: string = DEFAULT_ENDPOINT): symbol {
  requireText('endpoint', endpoint);
  return Symbol.for(`nestjs-scalekit-webhooks:recovery:${endpoint}`);
}

/**
 * Injects the {@link ScalekitRecovery} of one endpoint. Use it where the module is imported for several endpoints.
 *
 * @param endpoint the endpoint's `name`. Default: `'default'`
 */
export function InjectScalekitRecovery(endpoint?: string): PropertyDecorator & ParameterDecorator {
  return Inject(getScalekitRecoveryToken(endpoint));
}

function withEndpoint(definition: DynamicModule, extras: ScalekitRecoveryEndpointOptions): DynamicModule {
  const endpoint = extras.endpoint ?? DEFAULT_ENDPOINT;
  const token = getScalekitRecoveryToken(endpoint);
  return {
    ...definition,
    providers: [
      ...(definition.providers ?? []),
      { provide: RECOVERY_ENDPOINT, useValue: endpoint },
      { provide: RECOVERY_OPTIONS, useFactory: resolveRecoveryOptions, inject: [MODULE_OPTIONS_TOKEN] },
      { provide: token, useExisting: ScalekitRecovery },
    ],
    exports: [...(definition.exports ?? []), token],
  };
}
