import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { ScalekitWebhooksConfigurationError } from '../errors/errors.js';
import { DeliveryRefusedError } from '../respond/outcome.js';
import { MESSAGES } from '../scalekit-webhooks.messages.js';
import { RESOLVED_OPTIONS, type ResolvedOptions } from '../scalekit-webhooks.options.js';
import { parseSigningSecret, type SigningSecret } from '../verify/signing-secret.js';

/** What a secret resolver is told of a request. Nothing of it is verified yet. */
export interface SigningSecretRequest {
  /** The endpoint's `name`. */
  readonly endpoint: string;
  /** The path's parameters, for a `path` such as `webhooks/:tenant`. */
  readonly params: Readonly<Record<string, string>>;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
}

/**
 * Finds the signing secrets for a request. None (undefined or an empty list) is answered with 401; an error
 * with 503, so that the delivery comes again.
 */
export type SigningSecretResolver = (
  request: SigningSecretRequest,
) => string | readonly string[] | undefined | Promise<string | readonly string[] | undefined>;

/** One signing secret, several while one replaces another, or a function that finds them. */
export type SigningSecretSetting = string | readonly string[] | SigningSecretResolver;

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
