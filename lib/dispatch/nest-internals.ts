/**
 * Everything that relies on Nest's private API. `nest-internals.spec.ts` and the consumer tests check
 * each part on every Nest version that is supported, and name the part that has changed.
 */
import {
  ConsoleLogger,
  type Logger,
  RequestMethod,
  type Type,
  VERSION_NEUTRAL,
  VersioningType,
} from '@nestjs/common';
import {
  HOST_METADATA,
  METHOD_METADATA,
  MODULE_PATH,
  PARAMTYPES_METADATA,
  PATH_METADATA,
  PROPERTY_DEPS_METADATA,
  SELF_DECLARED_DEPS_METADATA,
  VERSION_METADATA,
} from '@nestjs/common/constants.js';
import {
  type ApplicationConfig,
  type ExternalContextCreator as ContextCreator,
  type DiscoveryService,
  ExternalContextCreator,
  MetadataScanner,
  type ModulesContainer,
  NestContainer,
} from '@nestjs/core';
import { STATIC_CONTEXT } from '@nestjs/core/injector/constants.js';
import { RoutePathFactory } from '@nestjs/core/router/route-path-factory.js';

export {
  EXCEPTION_FILTERS_METADATA,
  GUARDS_METADATA,
  INTERCEPTORS_METADATA,
  PIPES_METADATA,
} from '@nestjs/common/constants.js';

/** Nest's numbers for kinds of parameters. Pipes treat the event as a body, and the delivery as a custom parameter. */
export const EVENT_PARAM = 3;
export const DELIVERY_PARAM = 99;

/** Key of the metadata that tells Nest how to apply pipes to a handler's parameters. */
export const HANDLER_PARAMS_METADATA = 'nestjs-scalekit-webhooks:params';

/** Tells Nest which argument of a handler a parameter is. */
export const HANDLER_PARAMS_FACTORY = {
  exchangeKeyForValue: (type: number, _data: unknown, [event, delivery]: unknown[]) =>
    type === DELIVERY_PARAM ? delivery : event,
};

/** The application's modules without its global enhancers, which are made for HTTP and stay out of handlers. */
class HandlerContainer extends NestContainer {
  readonly #modules: ModulesContainer;

  constructor(modules: ModulesContainer) {
    super();
    this.#modules = modules;
  }

  override getModules(): ModulesContainer {
    return this.#modules;
  }
}

/**
 * Creates what binds guards, interceptors, pipes and filters to the handlers of one class.
 *
 * @param moduleKey the token of the module that provides the class. Nest itself looks only among providers, and would
 *   skip the guards of a controller's method.
 */
export function createHandlerContexts(modules: ModulesContainer, moduleKey: string): ContextCreator {
  const creator = ExternalContextCreator.fromContainer(new HandlerContainer(modules));
  creator.getContextModuleKey = () => moduleKey;
  keepFailuresOutOfLog(creator);
  return creator;
}

/** What applies the filters of one method. */
interface ExceptionsHandler {
  next(exception: unknown, host: unknown): unknown;
  invokeCustomFilters(exception: unknown, host: unknown): unknown;
}

/** Nest logs an error that no filter handles, with all its properties. The library logs it without. */
function keepFailuresOutOfLog(creator: ContextCreator): void {
  const contexts: { create(...args: unknown[]): ExceptionsHandler } = Reflect.get(
    creator,
    'filtersContextCreator',
  );
  const create = contexts.create.bind(contexts);
  contexts.create = (...args) => {
    const handler = create(...args);
    handler.next = (exception, host) => handler.invokeCustomFilters(exception, host);
    return handler;
  };
}

/**
 * Makes Nest close a module before all others. Nest closes modules by their distance from the root module, nearest first, and
 * has no documented way to change this. Call it in the constructor of a provider: later, Nest has fixed the order.
 */
export function closeFirst(modules: ModulesContainer, moduleClass: Type): void {
  for (const module of modules.values()) {
    if (module.metatype === moduleClass) module.distance = -1;
  }
}

/** What a logger does with its lines: `text` and `json` are Nest's own logger, with and without its option `json`. */
export function formatOf({ localInstance }: Logger): 'text' | 'json' | 'other' {
  // Undefined if the application has turned its logger off.
  if (localInstance && !(localInstance instanceof ConsoleLogger)) return 'other';
  return Reflect.get(Object(localInstance), 'options')?.json === true ? 'json' : 'text';
}

type InstanceWrapper = ReturnType<DiscoveryService['getProviders']>[number];

/** Whether Nest has finished the instance of a singleton. Until then, it has an object without its constructor's work. */
export function isResolved(wrapper: InstanceWrapper): boolean {
  return wrapper.getInstanceByContextId(STATIC_CONTEXT).isResolved === true;
}

/** The tokens that a provider or controller injects: into its factory, its constructor or its properties. */
export function injectedTokens({ inject, metatype }: InstanceWrapper): readonly unknown[] {
  if (inject) return inject.map(tokenOf);
  if (typeof metatype !== 'function') return [];
  const of = (key: string): readonly unknown[] => Reflect.getMetadata(key, metatype) ?? [];
  const parameters = [...of(PARAMTYPES_METADATA)];
  for (const declared of of(SELF_DECLARED_DEPS_METADATA)) {
    const { index, param }: { index?: number; param?: unknown } = Object(declared);
    if (index !== undefined) parameters[index] = param;
  }
  return [
    ...parameters,
    ...of(PROPERTY_DEPS_METADATA).map((declared) => Reflect.get(Object(declared), 'type')),
  ].map(tokenOf);
}

/** The token itself, or one that is wrapped in `forwardRef()` or marked as optional. */
function tokenOf(declared: unknown): unknown {
  if (typeof declared !== 'object' || declared === null) return declared;
  if ('forwardRef' in declared && typeof declared.forwardRef === 'function') return declared.forwardRef();
  return 'token' in declared ? tokenOf(declared.token) : declared;
}

/** A POST route of a controller. */
export interface PostRoute {
  readonly module: Module;
  /** The class and the method, such as `LegacyController.receive`. */
  readonly handler: string;
  /** The path with the global prefix, the version, and the path of its module. */
  readonly path: string;
  /** The hosts that a request must name. Empty for a route that takes all of them. */
  readonly hosts: readonly (string | RegExp)[];
  /** The versions that a request must name in a header. Empty for a route that does not depend on them. */
  readonly versions: readonly string[];
}

type Module = ModulesContainer extends Map<string, infer T> ? T : never;

/** The POST routes of some modules, in the order in which Nest registers them. */
export function postRoutes(
  some: readonly Module[],
  modules: ModulesContainer,
  config: ApplicationConfig,
): PostRoute[] {
  return some.flatMap((module) => {
    const { metatype } = module;
    const modulePath =
      Reflect.getMetadata(MODULE_PATH + modules.applicationId, metatype) ??
      Reflect.getMetadata(MODULE_PATH, metatype);
    return Array.from(module.controllers.values(), (wrapper) =>
      postRoutesOf(wrapper.metatype as Type, modulePath, config).map((route) => ({ module, ...route })),
    ).flat();
  });
}

function postRoutesOf(
  controller: Type,
  modulePath: string | undefined,
  config: ApplicationConfig,
): Omit<PostRoute, 'module'>[] {
  const factory = new RoutePathFactory(config);
  const versioningOptions = config.getVersioning();
  const globalPrefix = withLeadingSlash(config.getGlobalPrefix());
  const hosts: PostRoute['hosts'] = [Reflect.getMetadata(HOST_METADATA, controller) ?? []].flat();
  const controllerVersion =
    Reflect.getMetadata(VERSION_METADATA, controller) ?? versioningOptions?.defaultVersion;
  const routes: Omit<PostRoute, 'module'>[] = [];
  for (const ctrlPath of pathsOf(controller)) {
    for (const name of new MetadataScanner().getAllMethodNames(controller.prototype)) {
      const method = controller.prototype[name];
      const requestMethod: RequestMethod | undefined = Reflect.getMetadata(METHOD_METADATA, method);
      if (requestMethod !== RequestMethod.POST && requestMethod !== RequestMethod.ALL) continue;
      const methodVersion = Reflect.getMetadata(VERSION_METADATA, method);
      const versions = versionsInHeader(
        [methodVersion ?? controllerVersion ?? VERSION_NEUTRAL].flat(),
        versioningOptions?.type,
      );
      const parts = {
        modulePath,
        globalPrefix,
        ctrlPath,
        controllerVersion,
        methodVersion,
        versioningOptions,
      };
      const paths = pathsOf(method).flatMap((methodPath) =>
        factory.create({ ...parts, methodPath }, requestMethod),
      );
      routes.push(...paths.map((path) => ({ handler: `${controller.name}.${name}`, path, hosts, versions })));
    }
  }
  return routes;
}

/** The versions that a request must name in a header. Versions in the URL are part of the path. */
function versionsInHeader(versions: readonly unknown[], type: VersioningType | undefined): string[] {
  if (type === undefined || type === VersioningType.URI || versions.includes(VERSION_NEUTRAL)) return [];
  return versions.map(String);
}

function pathsOf(controllerOrMethod: object): string[] {
  return [Reflect.getMetadata(PATH_METADATA, controllerOrMethod)].flat().map(withLeadingSlash);
}

function withLeadingSlash(path: string): string {
  return /^($|\/|{\/)/.test(path) ? path : `/${path}`;
}
