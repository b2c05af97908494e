import type { ModuleRef } from '@nestjs/core';

/** The variable that holds an endpoint's signing secrets where the options give none. */
export const SECRET_VARIABLE = 'SCALEKIT_WEBHOOK_SECRET';

/** Secrets in one text, separated by commas. */
export function splitSecrets(text: string | undefined): readonly string[] {
  return (text ?? '')
    .split(',')
    .map((secret) => secret.trim())
    .filter((secret) => secret !== '');
}

/** The secrets from the application's `ConfigService` where it has one, else from the environment. */
export async function environmentSecrets(moduleRef: ModuleRef): Promise<readonly string[]> {
  const configured = await fromConfigService(moduleRef);
  return [configured ?? process.env[SECRET_VARIABLE]]
    .flat()
    .flatMap((value) => splitSecrets(value?.toString()));
}

async function fromConfigService(moduleRef: ModuleRef): Promise<string | string[] | undefined> {
  try {
    // Imported only where it is needed: the package is an optional peer.
    const { ConfigService } = await import('@nestjs/config');
    return moduleRef.get(ConfigService, { strict: false }).get<string | string[]>(SECRET_VARIABLE);
  } catch {
    return undefined;
  }
}
