import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { ScalekitWebhooksConfigurationError } from '../errors/configuration.error.js';
import { DeliveryRefusedError } from '../errors/delivery-refused.error.js';
import { MESSAGES } from '../scalekit-webhooks.messages.js';
import { RESOLVED_OPTIONS, type ResolvedOptions } from '../scalekit-webhooks.options.js';
import { environmentSecrets } from './environment-secret.js';
import { parseSigningSecret, type SigningSecret } from './signing-secret.js';
import type { SigningSecretRequest, SigningSecretResolver } from './signing-secret.setting.js';

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
    @Inject(RESOLVED_OPTIONS) private readonly options: ResolvedOptions,
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
