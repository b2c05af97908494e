import type { DynamicModule } from '@nestjs/common';
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
  const { ConfigModule } = await import('@nestjs/config');
  return ConfigModule.forFeature(scalekitWebhooksConfig);
}
