import { Inject, Injectable } from '@nestjs/common';
import { ApplicationConfig, HttpAdapterHost, ModulesContainer } from '@nestjs/core';
import { type PostRoute, postRoutes } from '../dispatch/nest-internals.js';
import { ScalekitWebhooksConfigurationError } from '../errors/errors.js';
import { MESSAGES } from './receive.messages.js';
import { ENDPOINT_OPTIONS, type EndpointOptions } from './receive.options.js';
import { covers, hasSameShape, isSameRoute } from './route-paths.js';

/** Finds routes of the application that would take the deliveries of an endpoint. */
@Injectable()
export class EndpointRoutes {
  readonly #endpoint: EndpointOptions;
  readonly #modules: ModulesContainer;
  readonly #config: ApplicationConfig;
  readonly #host: HttpAdapterHost;

  constructor(
    @Inject(ENDPOINT_OPTIONS) endpoint: EndpointOptions,
    @Inject(ModulesContainer) modules: ModulesContainer,
    @Inject(ApplicationConfig) config: ApplicationConfig,
    @Inject(HttpAdapterHost) host: HttpAdapterHost,
  ) {
    this.#endpoint = endpoint;
    this.#modules = modules;
    this.#config = config;
    this.#host = host;
  }

  /**
   * Call it before Nest registers the routes: the platform may refuse two routes with the same path.
   *
   * @throws ScalekitWebhooksConfigurationError that names the route
   */
  requireOwnPath(): void {
    const routes = postRoutes([...this.#modules.values()], this.#modules, this.#config);
    const place = routes.findIndex((route) => endpointOf(route) === this.#endpoint);
    const own = routes[place];
    if (!own) return;
    for (const [index, route] of routes.entries()) {
      if (route === own || route.isConditional) continue;
      const other = endpointOf(route);
      if (other && isSameRoute(route.path, own.path)) {
        this.#refuse(MESSAGES.endpointTaken('path', this.#endpoint.path));
      }
      if (this.#takesDeliveries(route, own, index < place)) {
        this.#refuse(MESSAGES.routeInTheWay(route.handler, route.path, own.path));
      }
    }
  }

  #takesDeliveries(route: PostRoute, own: PostRoute, isEarlier: boolean): boolean {
    // Fastify prefers the more specific route, and tells which one it is.
    if (this.#host.httpAdapter.getType() !== 'express') return hasSameShape(route.path, own.path);
    if (isSameRoute(route.path, own.path)) return true;
    const takesAll = covers(route.path, own.path);
    // Two endpoints may share some paths: the first of them captures the bodies.
    const takesSome = takesAll || (covers(own.path, route.path) && !endpointOf(route));
    const isFirst = this.#config.getRouteResolutionStrategy?.() === 'specificity' ? !takesAll : isEarlier;
    return isFirst && takesSome;
  }

  #refuse(message: string): never {
    throw new ScalekitWebhooksConfigurationError('path', message);
  }
}

/** The endpoint that a route belongs to, if it is not one of the application's own. */
function endpointOf({ module }: PostRoute): EndpointOptions | undefined {
  return module.providers.get(ENDPOINT_OPTIONS)?.instance as EndpointOptions | undefined;
}
