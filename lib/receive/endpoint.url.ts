import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { ApplicationConfig, ModulesContainer } from '@nestjs/core';
import { postRoutes } from '../dispatch/nest-internals.js';
import { ENDPOINT_OPTIONS, type EndpointOptions } from './receive.options.js';
import { patternOf } from './route-paths.js';

/** The URL of the endpoint, as Nest registers its route. */
@Injectable()
export class EndpointUrl implements OnModuleInit {
  #pattern?: { readonly expression: RegExp; readonly params: readonly string[] };

  readonly #endpoint: EndpointOptions;
  readonly #modules: ModulesContainer;
  readonly #config: ApplicationConfig;

  constructor(
    @Inject(ENDPOINT_OPTIONS) endpoint: EndpointOptions,
    @Inject(ModulesContainer) modules: ModulesContainer,
    @Inject(ApplicationConfig) config: ApplicationConfig,
  ) {
    this.#endpoint = endpoint;
    this.#modules = modules;
    this.#config = config;
  }

  onModuleInit(): void {
    this.#pattern = patternOf(this.path);
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
}
