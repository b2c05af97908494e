import { Inject, Injectable } from '@nestjs/common';
import { ApplicationConfig, HttpAdapterHost, ModulesContainer } from '@nestjs/core';
import { type PostRoute, postRoutes } from '../dispatch/nest-internals.js';
import { ScalekitWebhooksConfigurationError } from '../errors/errors.js';
import { covers, endpointOf, hasSameShape, isConditional, isSameRoute } from './endpoint.url.js';
import { MESSAGES } from './receive.messages.js';
import { ENDPOINT_OPTIONS, type EndpointOptions } from './receive.options.js';

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
      if (route === own) continue;
      if (isConditional(route)) {
        this.#requirePassable(route, own, index < place);
        continue;
      }
      const other = endpointOf(route);
      if (other && isSameRoute(route.path, own.path)) {
        this.#refuse(MESSAGES.endpointTaken('path', this.#endpoint.path));
      }
      if (this.#takesDeliveries(route, own, index < place)) {
        this.#refuse(MESSAGES.routeInTheWay(route.handler, route.path, own.path));
      }
    }
  }

  /** Refuses a route for some hosts or versions that could never receive a request beside the endpoint. */
  #requirePassable(route: PostRoute, own: PostRoute, isEarlier: boolean): void {
    const isPassable = this.#isExpress
      ? isEarlier || !isSameRoute(route.path, own.path)
      : route.versions.length > 0 || !hasSameShape(route.path, own.path);
    if (isPassable) return;
    this.#refuse(MESSAGES.routeUnreachable(route.handler, route.path, own.path));
  }

  get #isExpress(): boolean {
    return this.#host.httpAdapter.getType() === 'express';
  }

  #takesDeliveries(route: PostRoute, own: PostRoute, isEarlier: boolean): boolean {
    // Fastify prefers the more specific route, and tells which one it is.
    if (!this.#isExpress) return hasSameShape(route.path, own.path);
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
