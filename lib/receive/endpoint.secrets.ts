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
import type { ReceiveOptions } from './receive.options.js';
import { SigningSecretRequest, SigningSecretResolver } from './receive.options.js';

/** The secrets from the application's `ConfigService` where it has one, else from the environment. */
async function environmentSecrets(moduleRef: ModuleRef): Promise<readonly string[]> {
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

/** A signing secret as text, and ready for use. */
export interface EndpointSecret {
  readonly text: string;
  readonly secret: SigningSecret;
}

/** The signing secrets of one endpoint, checked while the application starts. */
@Injectable()
export class EndpointSecrets implements OnModuleInit {
  #fixed: readonly EndpointSecret[] = [];
  #resolver?: SigningSecretResolver;

  constructor(
    @Inject(RESOLVED_OPTIONS) private readonly options: ReceiveOptions,
    @Inject(ModuleRef) private readonly moduleRef: ModuleRef,
  ) {}

  /** @throws ScalekitWebhooksConfigurationError when a secret is missing, empty, or cannot be decoded */
  async onModuleInit(): Promise<void> {
    const { signingSecret: given } = this.options;
    const setting = given === undefined ? await environmentSecrets(this.moduleRef) : given;
    if (typeof setting === 'function') {
      this.#resolver = setting;
      return;
    }
    const texts = [setting].flat();
    if (texts.length === 0 && !this.options.verifier) {
      throw new ScalekitWebhooksConfigurationError(
        'signingSecret',
        MESSAGES.secretMissing(this.options.name),
      );
    }
    this.#fixed = texts.map(prepare);
  }

  /** Secrets known before any request, with a key shorter than Standard Webhooks asks for. */
  get hasShortKey(): boolean {
    return this.#fixed.some(({ secret }) => secret.isShort);
  }

  /**
   * @throws DeliveryRefusedError when the resolver fails (`unavailable`), or finds what is no secret (`misconfigured`)
   */
  for(request: SigningSecretRequest): readonly EndpointSecret[] | Promise<readonly EndpointSecret[]> {
    return this.#resolver ? this.#secretsFrom(this.#resolver, request) : this.#fixed;
  }

  async #secretsFrom(resolver: SigningSecretResolver, request: SigningSecretRequest) {
    const texts = [(await this.#resolve(resolver, request)) ?? []].flat();
    try {
      return texts.map(prepare);
    } catch (error) {
      throw new DeliveryRefusedError('misconfigured', error instanceof Error ? error.message : '');
    }
  }

  async #resolve(resolver: SigningSecretResolver, request: SigningSecretRequest) {
    try {
      return await resolver(request);
    } catch (error) {
      const reason = error instanceof Error ? error.name : typeof error;
      throw new DeliveryRefusedError('unavailable', MESSAGES.secretResolverFailed(reason));
    }
  }
}

function prepare(text: string): EndpointSecret {
  return { text, secret: parseSigningSecret(text) };
}
