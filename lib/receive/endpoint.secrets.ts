import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { RESOLVED_OPTIONS } from '../dispatch/dispatch.options.js';
import { ScalekitWebhooksConfigurationError } from '../errors/errors.js';
import { DeliveryRefusedError } from '../respond/outcome.js';
import {
  parseSigningSecret,
  SECRET_VARIABLE,
  type SigningSecret,
  splitSecrets,
} from '../verify/signing-secret.js';
import { MESSAGES } from './receive.messages.js';
import type { ReceiveOptions, SigningSecretRequest, SigningSecretResolver } from './receive.options.js';

/** A signing secret as text, and parsed. */
export interface EndpointSecret {
  readonly text: string;
  readonly secret: SigningSecret;
}

/** The signing secrets of one endpoint. Those that do not depend on the request are parsed at startup. */
@Injectable()
export class EndpointSecrets implements OnModuleInit {
  #fixed: readonly EndpointSecret[] = [];
  #resolver?: SigningSecretResolver;

  constructor(
    @Inject(RESOLVED_OPTIONS) private readonly options: ReceiveOptions,
    @Inject(ModuleRef) private readonly moduleRef: ModuleRef,
  ) {}

  /** @throws ScalekitWebhooksConfigurationError if a secret is missing, empty, or cannot be decoded */
  async onModuleInit(): Promise<void> {
    const { name, signingSecret, verifier } = this.options;
    const setting = signingSecret === undefined ? await environmentSecrets(this.moduleRef) : signingSecret;
    if (typeof setting === 'function') {
      this.#resolver = setting;
      return;
    }
    const texts = [setting].flat();
    if (texts.length === 0 && !verifier) {
      throw new ScalekitWebhooksConfigurationError('signingSecret', MESSAGES.secretMissing(name));
    }
    this.#fixed = texts.map(toEndpointSecret);
  }

  /** Whether a secret that does not depend on the request has a shorter key than Standard Webhooks recommends. */
  get hasShortKey(): boolean {
    return this.#fixed.some(({ secret }) => secret.isShort);
  }

  /**
   * @throws DeliveryRefusedError `unavailable` if the resolver fails
   * @throws ScalekitWebhooksConfigurationError if the resolver returns something that is not a signing secret
   */
  async for(request: SigningSecretRequest): Promise<readonly EndpointSecret[]> {
    if (!this.#resolver) return this.#fixed;
    const found = await resolve(this.#resolver, request);
    return [found ?? []].flat().map(toEndpointSecret);
  }
}

function toEndpointSecret(text: string): EndpointSecret {
  return { text, secret: parseSigningSecret(text) };
}

async function resolve(resolver: SigningSecretResolver, request: SigningSecretRequest) {
  try {
    return await resolver(request);
  } catch (error) {
    // The name alone: the message may hold credentials.
    const reason = error instanceof Error ? error.name : typeof error;
    throw new DeliveryRefusedError('unavailable', MESSAGES.secretResolverFailed(reason));
  }
}

/** The secrets from the application's `ConfigService` if it has any, otherwise from the environment. */
async function environmentSecrets(moduleRef: ModuleRef): Promise<readonly string[]> {
  const configured = await fromConfigService(moduleRef);
  return [configured ?? process.env[SECRET_VARIABLE]]
    .flat()
    .flatMap((value) => splitSecrets(value?.toString()));
}

async function fromConfigService(moduleRef: ModuleRef): Promise<string | string[] | undefined> {
  try {
    // Imported on demand, since the package is an optional peer dependency.
    const { ConfigService } = await import('@nestjs/config');
    return moduleRef.get(ConfigService, { strict: false }).get<string | string[]>(SECRET_VARIABLE);
  } catch {
    return undefined;
  }
}
