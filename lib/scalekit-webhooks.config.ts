import type { DynamicModule } from '@nestjs/common';
import type { ScalekitWebhooksOptions } from './scalekit-webhooks.options.js';
import { SECRET_VARIABLE, splitSecrets } from './verify/signing-secret.js';

const NAMESPACE = 'scalekitWebhooks';

function readEnvironment(): Pick<ScalekitWebhooksOptions, 'signingSecret'> {
  const secrets = splitSecrets(process.env[SECRET_VARIABLE]);
  return secrets.length > 0 ? { signingSecret: secrets } : {};
}

/**
 * The module's settings as a namespace of `@nestjs/config`. It is what `registerAs('scalekitWebhooks', …)` makes,
 * made without importing the package, which is an optional peer.
 *
 * @example
 * ```ts
 * ScalekitWebhooksModule.forRootAsync(scalekitWebhooksConfig.asProvider())
 * ```
 */
export const scalekitWebhooksConfig = Object.assign(readEnvironment, {
  KEY: `CONFIGURATION(${NAMESPACE})` as const,
  PARTIAL_CONFIGURATION_KEY: NAMESPACE,
  asProvider: () => ({
    imports: [configFeature()],
    useFactory: (config: ScalekitWebhooksOptions) => config,
    inject: [scalekitWebhooksConfig.KEY],
  }),
});

async function configFeature(): Promise<DynamicModule> {
  const { ConfigModule } = await import('@nestjs/config');
  return ConfigModule.forFeature(scalekitWebhooksConfig);
}
