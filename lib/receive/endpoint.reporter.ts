import { Inject, Injectable, type OnApplicationBootstrap, type OnModuleInit } from '@nestjs/common';
import { HttpAdapterHost, ModulesContainer } from '@nestjs/core';
import { LogWriter } from '../dispatch/delivery.log.js';
import { EndpointHandlers } from '../dispatch/endpoint.handlers.js';
import { ScalekitWebhooksConfigurationError } from '../errors/errors.js';
import { EndpointSecrets } from './endpoint.secrets.js';
import { EndpointUrl } from './endpoint.url.js';
import { MESSAGES } from './receive.messages.js';
import { ENDPOINT_OPTIONS, type EndpointOptions } from './receive.options.js';

/** Logs the endpoint at startup: its URL, its handlers and its warnings. Rejects two endpoints with the same name. */
@Injectable()
export class EndpointReporter implements OnModuleInit, OnApplicationBootstrap {
  readonly #endpoint: EndpointOptions;
  readonly #url: EndpointUrl;
  readonly #handlers: EndpointHandlers;
  readonly #secrets: EndpointSecrets;
  readonly #host: HttpAdapterHost;
  readonly #modules: ModulesContainer;

  constructor(
    @Inject(ENDPOINT_OPTIONS) endpoint: EndpointOptions,
    @Inject(EndpointUrl) url: EndpointUrl,
    @Inject(EndpointHandlers) handlers: EndpointHandlers,
    @Inject(EndpointSecrets) secrets: EndpointSecrets,
    @Inject(HttpAdapterHost) host: HttpAdapterHost,
    @Inject(ModulesContainer) modules: ModulesContainer,
  ) {
    this.#endpoint = endpoint;
    this.#url = url;
    this.#handlers = handlers;
    this.#secrets = secrets;
    this.#host = host;
    this.#modules = modules;
  }

  /** @throws ScalekitWebhooksConfigurationError if another endpoint has the same name */
  onModuleInit(): void {
    const others = this.#endpoints().filter((endpoint) => endpoint !== this.#endpoint);
    if (others.some(({ name }) => name === this.#endpoint.name)) {
      const message = MESSAGES.endpointTaken('name', this.#endpoint.name);
      throw new ScalekitWebhooksConfigurationError('name', message);
    }
  }

  onApplicationBootstrap(): void {
    const log = new LogWriter(`ScalekitWebhooks:${this.#endpoint.name}`);
    const { endpointReady, endpointWithoutHttp } = MESSAGES;
    log.write('log', this.#host.httpAdapter ? endpointReady(this.#url.path) : endpointWithoutHttp);
    for (const line of this.#handlers.table) log.write('log', line);
    for (const warning of this.#warnings()) log.write('warn', warning);
  }

  #warnings(): readonly string[] {
    const names = this.#endpoints().map(({ name }) => name);
    return [
      ...this.#handlers.warnings,
      // Warnings about the whole application come from its first endpoint only.
      ...(names[0] === this.#endpoint.name ? this.#handlers.applicationWarnings(names) : []),
      ...(this.#secrets.hasShortKey ? [MESSAGES.secretIsShort] : []),
    ];
  }

  #endpoints(): EndpointOptions[] {
    return [...this.#modules.values()].flatMap((module) => {
      const wrapper = module.providers.get(ENDPOINT_OPTIONS);
      return wrapper ? [wrapper.instance as EndpointOptions] : [];
    });
  }
}
