import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { ApplicationConfig, HttpAdapterHost, ModulesContainer } from '@nestjs/core';
import { type PostRoute, postRoutes } from '../dispatch/nest-internals.js';
import { ScalekitWebhooksConfigurationError } from '../errors/errors.js';
import { MESSAGES } from './receive.messages.js';
import { ENDPOINT_OPTIONS, type EndpointOptions } from './receive.options.js';

/** The URL of the endpoint, as Nest registers its route. */
@Injectable()
export class EndpointUrl implements OnModuleInit {
  #pattern?: ReturnType<typeof patternOf>;
  /** The routes of the application before this one that take only some of the requests for their path. */
  #earlier: readonly PostRoute[] = [];

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

  onModuleInit(): void {
    this.#pattern = patternOf(this.path);
    const { routes, place } = this.#allRoutes();
    this.#earlier = routes.slice(0, Math.max(place, 0)).filter(isConditional);
  }

  /** The POST routes of the application, and the place of the endpoint's own among them. */
  #allRoutes(): { readonly routes: readonly PostRoute[]; readonly place: number } {
    const routes = postRoutes([...this.#modules.values()], this.#modules, this.#config);
    return { routes, place: routes.findIndex((route) => endpointOf(route) === this.#endpoint) };
  }

  /**
   * Refuses routes of the application that would take the deliveries. Call it before Nest registers the routes: the
   * platform may refuse two routes with the same path.
   *
   * @throws ScalekitWebhooksConfigurationError that names the route
   */
  requireOwnPath(): void {
    const { routes, place } = this.#allRoutes();
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

  /** The path with the global prefix. Complete once `main.ts` has configured the application. */
  get path(): string {
    const module = [...this.#modules.values()][this.order];
    const [route] = module ? postRoutes([module], this.#modules, this.#config) : [];
    return route?.path ?? `/${this.#endpoint.path}`;
  }

  /** The place of the endpoint's route among those of the application. */
  get order(): number {
    return [...this.#modules.values()].findIndex(
      ({ providers }) => providers.get(ENDPOINT_OPTIONS)?.instance === this.#endpoint,
    );
  }

  /** The parameters of a path that leads to the endpoint, if it does. Like Express, it ignores case and a trailing slash. */
  paramsOf(path: string): Readonly<Record<string, string>> | undefined {
    // Before Nest initializes the module, it has no routes.
    const match = this.#pattern?.expression.exec(path);
    if (!match) return undefined;
    return Object.fromEntries(
      this.#pattern?.params.map((name, index) => [name, match[index + 1] ?? '']) ?? [],
    );
  }

  /** Whether the application has earlier routes that take only some of the requests for their path. */
  get hasEarlierRoutes(): boolean {
    return this.#earlier.length > 0;
  }

  /** Whether an earlier route of the application takes a request, because of the host or the version that it names. */
  isTaken(path: string, request: object, response: object): boolean {
    return this.#earlier.some(
      (route) =>
        patternOf(route.path).expression.test(path) &&
        (route.hosts.length === 0 || this.#namesHost(request, route.hosts)) &&
        (route.versions.length === 0 || this.#namesVersion(request, response, route.versions)),
    );
  }

  #namesHost(request: object, hosts: PostRoute['hosts']): boolean {
    const hostname: string = this.#host.httpAdapter.getRequestHostname(request) || '';
    return hosts.some((host) =>
      typeof host === 'string' ? patternOf(host).expression.test(hostname) : hostname.search(host) >= 0,
    );
  }

  #namesVersion(request: object, response: object, versions: readonly string[]): boolean {
    const versioning = this.#config.getVersioning();
    if (!versioning) return false;
    let isNamed = false;
    const taken = () => {
      isNamed = true;
    };
    const filter = this.#host.httpAdapter.applyVersionFilter(taken, [...versions], versioning);
    try {
      filter(request, response, () => {});
    } catch {
      // A function of the application that reads the version. It will throw again where Nest calls it.
    }
    return isNamed;
  }
}

/** The endpoint that a route belongs to, if it is not one of the application's own. */
export function endpointOf({ module }: PostRoute): EndpointOptions | undefined {
  return module.providers.get(ENDPOINT_OPTIONS)?.instance as EndpointOptions | undefined;
}

/** Whether a route takes only some of the requests for its path. */
export function isConditional({ hosts, versions }: PostRoute): boolean {
  return hosts.length > 0 || versions.length > 0;
}

/** What stands for a parameter or a wildcard in an example of a path. No route has it as a segment of its own. */
const ANY_SEGMENT = '~any~';

const OPTIONAL = /[{}]/g;
const VARIABLE = /:(\w+)|\(\.\*\)|\*\w*/g;
const SPECIAL = /[.+?^$|()[\]\\]/g;
const TOKEN = new RegExp([OPTIONAL, VARIABLE, SPECIAL].map(({ source }) => source).join('|'), 'g');

/** Matches the URLs of a route's path: a parameter is one segment, `*` is any number of them, and `{…}` is optional. */
export function patternOf(path: string): { readonly expression: RegExp; readonly params: readonly string[] } {
  const params: string[] = [];
  const source = path.replace(TOKEN, (token, param?: string) => {
    if (param !== undefined) {
      params.push(param);
      return '([^/]+)';
    }
    if (token === '{') return '(?:';
    if (token === '}') return ')?';
    return token.startsWith('*') || token === '(.*)' ? '.*' : `\\${token}`;
  });
  return { expression: new RegExp(`^${source}/?$`, 'i'), params };
}

/** Whether a route matches every URL of another one. */
export function covers(path: string, other: string): boolean {
  return patternOf(path).expression.test(exampleOf(other));
}

/** Whether two routes differ by nothing but the names of their parameters. */
export function hasSameShape(path: string, other: string): boolean {
  return path.replace(VARIABLE, ':') === other.replace(VARIABLE, ':');
}

/** Whether two routes match the same URLs. */
export function isSameRoute(path: string, other: string): boolean {
  return covers(path, other) && covers(other, path);
}

function exampleOf(path: string): string {
  return path.replace(OPTIONAL, '').replace(VARIABLE, ANY_SEGMENT);
}
