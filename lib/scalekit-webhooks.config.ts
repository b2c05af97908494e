import type { DynamicModule } from '@nestjs/common';
import { refuseSetting } from './errors/settings.js';
import type { ScalekitWebhooksOptions } from './scalekit-webhooks.options.js';
import { SECRET_VARIABLE, splitSecrets } from './verify/signing-secret.js';

const NAMESPACE = 'scalekitWebhooks';

/**
 * The module's settings as a configuration namespace of `@nestjs/config`: the signing secrets in the environment
 * variable `SCALEKIT_WEBHOOK_SECRET`, separated by commas. Use it like the result of `registerAs`.
 *
 * @example
 * ```ts
 * ScalekitWebhooksModule.forRootAsync(scalekitWebhooksConfig.asProvider())
 * ```
 */
// The same as `registerAs(NAMESPACE, readEnvironment)`, without importing the package: it is an optional peer dependency.
export const scalekitWebhooksConfig = Object.assign(readEnvironment, {
  KEY: `CONFIGURATION(${NAMESPACE})` as const,
  PARTIAL_CONFIGURATION_KEY: NAMESPACE,
  asProvider: () => ({
    imports: [configFeature()],
    useFactory: (config: ScalekitWebhooksOptions) => config,
    inject: [scalekitWebhooksConfig.KEY],
  }),
});

function readEnvironment(): Pick<ScalekitWebhooksOptions, 'signingSecret'> {
  const secrets = splitSecrets(process.env[SECRET_VARIABLE]);
  return secrets.length > 0 ? { signingSecret: secrets } : {};
}

async function configFeature(): Promise<DynamicModule> {
  const { ConfigModule } = await importConfig();
  return ConfigModule.forFeature(scalekitWebhooksConfig);
}

/** @throws ScalekitWebhooksConfigurationError when the package is not installed */
async function importConfig(): Promise<typeof import('@nestjs/config')> {
  try {
    return await import('@nestjs/config');
  } catch {
    return refuseSetting(
      'scalekitWebhooksConfig',
      'scalekitWebhooksConfig.asProvider() needs @nestjs/config. Install it, or set SCALEKIT_WEBHOOK_SECRET and use forRoot().',
    );
  }
}
