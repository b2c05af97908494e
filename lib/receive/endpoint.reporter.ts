import { Inject, Injectable, Logger, type OnApplicationBootstrap, type OnModuleInit } from '@nestjs/common';
import { HttpAdapterHost, ModulesContainer } from '@nestjs/core';
import { EndpointHandlers } from '../dispatch/endpoint.handlers.js';
import { ScalekitWebhooksConfigurationError } from '../errors/errors.js';
import { EndpointSecrets } from './endpoint.secrets.js';
import { EndpointUrl } from './endpoint.url.js';
import { MESSAGES } from './receive.messages.js';
import { ENDPOINT_OPTIONS, type EndpointOptions } from './receive.options.js';

// What two endpoints cannot share. Express tells paths apart neither by case nor by their parameters' names.
const KEYS = {
  name: ({ name }: EndpointOptions) => name,
  path: ({ path }: EndpointOptions) => path.toLowerCase().replace(/:\w+/g, ':'),
} as const;

/** Says once, while the application starts, what the endpoint is and does, and what about it is odd. */
@Injectable()
export class EndpointReporter implements OnModuleInit, OnApplicationBootstrap {
  constructor(
    @Inject(ENDPOINT_OPTIONS) private readonly endpoint: EndpointOptions,
    @Inject(EndpointUrl) private readonly url: EndpointUrl,
    @Inject(EndpointHandlers) private readonly handlers: EndpointHandlers,
    @Inject(EndpointSecrets) private readonly secrets: EndpointSecrets,
    @Inject(HttpAdapterHost) private readonly host: HttpAdapterHost,
    @Inject(ModulesContainer) private readonly modules: ModulesContainer,
  ) {}

  /** @throws ScalekitWebhooksConfigurationError when another endpoint has the same name or path */
  onModuleInit(): void {
    for (const setting of ['name', 'path'] as const) {
      const value = this.endpoint[setting];
      const alike = this.#endpoints().filter(
        (endpoint) => KEYS[setting](endpoint) === KEYS[setting](this.endpoint),
      );
      if (alike.length > 1) {
        throw new ScalekitWebhooksConfigurationError(setting, MESSAGES.endpointTaken(setting, value));
      }
    }
  }

  onApplicationBootstrap(): void {
    const logger = new Logger(`ScalekitWebhooks:${this.endpoint.name}`);
    logger.log(this.host.httpAdapter ? MESSAGES.endpointReady(this.url.path) : MESSAGES.endpointWithoutHttp);
    for (const row of this.handlers.table) logger.log(row);
    for (const oddity of [...this.handlers.warnings, ...this.#applicationOddities()]) logger.warn(oddity);
    if (this.secrets.hasShortKey) logger.warn(MESSAGES.secretIsShort);
  }

  /** Left to the first endpoint, so that they are said once. */
  #applicationOddities(): readonly string[] {
    const names = this.#endpoints().map(({ name }) => name);
    return names[0] === this.endpoint.name ? this.handlers.applicationWarnings(names) : [];
  }

  #endpoints(): EndpointOptions[] {
    return [...this.modules.values()].flatMap((module) => {
      const wrapper = module.providers.get(ENDPOINT_OPTIONS);
      return wrapper ? [wrapper.instance as EndpointOptions] : [];
    });
  }
}
