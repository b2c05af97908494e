import type { AddressInfo } from 'node:net';
import type { INestApplication } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { ScalekitWebhooksConfigurationError } from '../errors/configuration.error.js';
import { ENDPOINT_OPTIONS, type EndpointOptions } from '../receive/endpoint.options.js';
import { EndpointUrl } from '../receive/endpoint.url.js';
import { MESSAGES } from '../scalekit-webhooks.messages.js';
import { EndpointSecrets } from '../verify/endpoint.secrets.js';

// Deliveries at the same time, or of several testers, start an application once.
const STARTING = new WeakMap<INestApplication, Promise<unknown>>();

/** An endpoint of an application under test, found by its name. */
export class TestedEndpoint {
  constructor(
    private readonly app: INestApplication,
    private readonly name = 'default',
  ) {}

  /** Where it listens; an application that does not yet is made to, on a free port of 127.0.0.1. */
  async url(path?: string): Promise<string> {
    await this.#listen();
    const { port }: AddressInfo = this.app.getHttpServer().address();
    return `http://127.0.0.1:${port}${path ?? this.#find(EndpointUrl).path}`;
  }

  /** The first of its own secrets. */
  async secret(): Promise<string> {
    await this.#listen();
    const [first] = await this.#find(EndpointSecrets).for({ endpoint: this.name, params: {}, headers: {} });
    if (first) return first.text;
    throw new ScalekitWebhooksConfigurationError('secret', MESSAGES.testerWithoutSecret(this.name));
  }

  async #listen(): Promise<void> {
    if (this.app.getHttpServer().listening) return;
    const starting = STARTING.get(this.app) ?? this.app.listen(0, '127.0.0.1');
    STARTING.set(this.app, starting);
    await starting;
  }

  /** A provider of the endpoint's own module, since each endpoint has an instance of its own. */
  #find<T>(token: abstract new (...args: never[]) => T): T {
    for (const module of this.app.get(ModulesContainer).values()) {
      const endpoint = module.providers.get(ENDPOINT_OPTIONS)?.instance as EndpointOptions | undefined;
      if (endpoint?.name === this.name) return module.providers.get(token)?.instance as T;
    }
    throw new ScalekitWebhooksConfigurationError('endpoint', MESSAGES.testerWithoutEndpoint(this.name));
  }
}
