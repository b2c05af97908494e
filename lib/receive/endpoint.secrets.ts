import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { HttpAdapterHost, ModuleRef } from '@nestjs/core';
import { RESOLVED_OPTIONS } from '../dispatch/dispatch.providers.js';
import { TIMED_OUT, waitAtMost } from '../dispatch/timeout.js';
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

  readonly #options: ReceiveOptions;
  readonly #moduleRef: ModuleRef;
  readonly #host: HttpAdapterHost;

  constructor(
    @Inject(RESOLVED_OPTIONS) options: ReceiveOptions,
    @Inject(ModuleRef) moduleRef: ModuleRef,
    @Inject(HttpAdapterHost) host: HttpAdapterHost,
  ) {
    this.#options = options;
    this.#moduleRef = moduleRef;
    this.#host = host;
  }

  /** @throws ScalekitWebhooksConfigurationError if a secret is missing, empty, or cannot be decoded */
  async onModuleInit(): Promise<void> {
    const { name, signingSecret, verifier } = this.#options;
    const setting = signingSecret === undefined ? await environmentSecrets(this.#moduleRef) : signingSecret;
    if (typeof setting === 'function') {
      this.#resolver = setting;
      return;
    }
    const texts = [setting].flat();
    // A worker without HTTP receives nothing, so it needs no secret.
    if (texts.length === 0 && !verifier && this.#host.httpAdapter) {
      throw new ScalekitWebhooksConfigurationError('signingSecret', MESSAGES.secretMissing(name));
    }
    this.#fixed = texts.map(toEndpointSecret);
  }

  /** Whether a secret that does not depend on the request has a shorter key than Standard Webhooks recommends. */
  get hasShortKey(): boolean {
    return this.#fixed.some(({ secret }) => secret.isShort);
  }

  /**
   * @throws DeliveryRefusedError `unavailable` if the resolver fails or takes too long
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

/** How long a `signingSecret` function or a `verifier` may take. Scalekit waits 10 s in total. */
export const RESOLVER_TIMEOUT_MS = 5000;

async function resolve(resolver: SigningSecretResolver, request: SigningSecretRequest) {
  try {
    const found = await waitAtMost(Promise.resolve(resolver(request)), RESOLVER_TIMEOUT_MS);
    if (found !== TIMED_OUT) return found;
    throw new DeliveryRefusedError('unavailable', MESSAGES.tooSlow('signingSecret', RESOLVER_TIMEOUT_MS));
  } catch (error) {
    if (error instanceof DeliveryRefusedError) throw error;
    // Only the name, because the message may contain credentials.
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
    // Imported on demand, because the package is an optional peer dependency.
    const { ConfigService } = await import('@nestjs/config');
    return moduleRef.get(ConfigService, { strict: false }).get<string | string[]>(SECRET_VARIABLE);
  } catch {
    return undefined;
  }
}
