import { Inject, Injectable } from '@nestjs/common';
import {
  ContextIdFactory,
  DiscoveryService,
  INQUIRER,
  MetadataScanner,
  ModuleRef,
  REQUEST,
} from '@nestjs/core';
import { HandlerDeclarationError } from '../errors/errors.js';
import { MESSAGES } from './dispatch.messages.js';
import { HandlerInvoker, type HandlerMethod } from './handler.invoker.js';
import { type EventHandler, patternsOf, type ScalekitEventContext } from './handler.registry.js';
import {
  containedClasses,
  declaringClasses,
  handlerDeclarations,
  resolveHandlerOptions,
} from './handler-metadata.js';
import { isResolved } from './nest-internals.js';
import { waitAtMost } from './timeout.js';

// Nest's own request-scoped factories, which every application has.
const NEST_FACTORIES: ReadonlySet<unknown> = new Set([REQUEST, INQUIRER]);

type InstanceWrapper = ReturnType<DiscoveryService['getProviders']>[number];
type HandlerRun = EventHandler['run'];
type ContextId = ReturnType<typeof ContextIdFactory.create>;

/** The handlers of an application, and warnings about their declarations. */
export interface ExploredHandlers {
  readonly handlers: readonly EventHandler[];
  readonly warnings: readonly string[];
  /** Whether a module was still being loaded. */
  readonly isComplete: boolean;
}

/** A decorated method of a class that no module provides. */
export interface ForgottenHandler {
  readonly className: string;
  readonly methodName: string;
}

/** Finds the decorated methods of all providers and controllers of any scope. */
@Injectable()
export class HandlerExplorer {
  readonly #contextIds = new WeakMap<ScalekitEventContext, ContextId>();

  constructor(
    @Inject(DiscoveryService) private readonly discovery: DiscoveryService,
    @Inject(MetadataScanner) private readonly scanner: MetadataScanner,
    @Inject(HandlerInvoker) private readonly invoker: HandlerInvoker,
  ) {}

  /**
   * @param isStarting whether the application is starting: it has no module yet that is still being loaded
   * @throws HandlerDeclarationError for a decorated method that cannot run
   */
  async explore(isStarting: boolean): Promise<ExploredHandlers> {
    const handlers = new Map<string, EventHandler>();
    const warnings: string[] = [];
    const scopedFactories: InstanceWrapper[] = [];
    const classOf = new Map<string, object>();
    let isComplete = true;

    for (const wrapper of [...this.discovery.getProviders(), ...this.discovery.getControllers()]) {
      if (wrapper.isAlias || NEST_FACTORIES.has(wrapper.token)) continue;
      // A test may have replaced the provider of a class by an object of any kind.
      if (typeof wrapper.token === 'function') containedClasses().add(wrapper.token);
      if (isScopedFactory(wrapper)) {
        this.#refuseDeclarationsOf(wrapper);
        scopedFactories.push(wrapper);
        continue;
      }
      if (!isStarting && isStatic(wrapper) && !isResolved(wrapper)) {
        isComplete = false;
        continue;
      }
      const prototype = prototypeOf(wrapper);
      if (!prototype) continue;
      for (const contained of classesOf(prototype)) containedClasses().add(contained);
      for (const { methodName, ...declared } of this.#declared(prototype)) {
        const method = `${prototype.constructor.name}.${methodName}`;
        const id = declared.id ?? method;
        if (classOf.get(id) === prototype.constructor) {
          warnings.push(MESSAGES.handlerFoundTwice(id));
        } else if (handlers.has(id)) {
          throw new HandlerDeclarationError(MESSAGES.handlerIdTaken(id));
        } else {
          handlers.set(id, { ...declared, id, run: this.#runOf(wrapper, prototype, methodName) });
          classOf.set(id, prototype.constructor);
        }
      }
    }
    if (isStarting) warnings.push(...(await refuseProducts(scopedFactories)));
    return { handlers: [...handlers.values()], warnings, isComplete };
  }

  /** A handler for this event whose class no application of this process contains. It was probably forgotten. */
  forgottenHandler(type: string, endpoint: string): ForgottenHandler | undefined {
    const matching = patternsOf(type);
    for (const declaring of declaringClasses()) {
      if (containedClasses().has(declaring) || typeof declaring !== 'function') continue;
      const found = this.#declared(declaring.prototype).find(
        ({ patterns, endpoints = [endpoint] }) =>
          patterns.some((pattern) => matching.includes(pattern)) && endpoints.includes(endpoint),
      );
      if (found) return { className: declaring.name, methodName: found.methodName };
    }
    return undefined;
  }

  #declared(prototype: object) {
    return this.scanner.getAllMethodNames(prototype).flatMap((methodName) => {
      const declarations = handlerDeclarations(prototype, methodName);
      if (declarations.length === 0) return [];
      return [
        { methodName, ...resolveHandlerOptions(`${prototype.constructor.name}.${methodName}`, declarations) },
      ];
    });
  }

  #refuseDeclarationsOf({ token }: InstanceWrapper): void {
    if (typeof token !== 'function' || !token.prototype) return;
    const [declared] = this.#declared(token.prototype);
    if (declared) {
      throw new HandlerDeclarationError(MESSAGES.handlerInScopedFactory(token.name));
    }
  }

  #runOf(wrapper: InstanceWrapper, prototype: object, name: string): HandlerRun {
    const { host, token, instance: singleton, metatype } = wrapper;
    const declared: HandlerMethod['declared'] = Reflect.get(prototype, name);
    if (!host || isStatic(wrapper)) {
      return this.invoker.bind({
        instance: singleton,
        name,
        declared,
        metatype,
        moduleKey: host?.token ?? '',
      });
    }
    return async (event, delivery, context) => {
      const moduleRef: ModuleRef = host.getProviderByKey(ModuleRef).instance;
      const contextId = this.#contextIdOf(context, moduleRef);
      const instance = await moduleRef.resolve(token, contextId, { strict: true, each: false });
      const method = { instance, name, declared, metatype, moduleKey: host.token, contextId };
      return this.invoker.bind(method)(event, delivery);
    };
  }

  #contextIdOf(context: ScalekitEventContext, moduleRef: ModuleRef): ContextId {
    const known = this.#contextIds.get(context);
    if (known) return known;
    const contextId = ContextIdFactory.getByRequest(context);
    moduleRef.registerRequestByContextId(context, contextId);
    this.#contextIds.set(context, contextId);
    return contextId;
  }
}

function isStatic(wrapper: InstanceWrapper): boolean {
  return wrapper.isDependencyTreeStatic() && !wrapper.isTransient;
}

function isScopedFactory(wrapper: InstanceWrapper): boolean {
  return wrapper.isNotMetatype && !isStatic(wrapper);
}

/** The prototype of a static provider's instance, which a factory may have chosen; otherwise that of its class. */
function prototypeOf(wrapper: InstanceWrapper): object | null {
  if (!isStatic(wrapper)) return wrapper.metatype?.prototype ?? null;
  const { instance } = wrapper;
  return typeof instance === 'object' && instance !== null ? Object.getPrototypeOf(instance) : null;
}

function classesOf(prototype: object): object[] {
  const parent = Object.getPrototypeOf(prototype);
  const own = typeof prototype.constructor === 'function' ? [prototype.constructor] : [];
  return [...own, ...(parent ? classesOf(parent) : [])];
}

// A factory that never returns must not keep the application from starting.
const FACTORY_TIMEOUT_MS = 2000;

/**
 * Refuses scoped factories that create a class with handlers. To find out, a factory has to run, so only those run that
 * name such a class, and only if no application contains it.
 *
 * @returns warnings about factories that name a class, but cannot run outside a request, or never return
 */
async function refuseProducts(factories: readonly InstanceWrapper[]): Promise<string[]> {
  const warnings: string[] = [];
  for (const { host, token, name, metatype } of factories) {
    const words = Function.prototype.toString.call(metatype).split(/[^\w$]+/);
    const named = [...declaringClasses()].filter(
      (declaring) => !containedClasses().has(declaring) && words.includes(nameOf(declaring)),
    );
    if (named.length === 0) continue;
    const moduleRef: ModuleRef | undefined = host?.getProviderByKey(ModuleRef).instance;
    const product = await waitAtMost(
      moduleRef?.resolve(token, ContextIdFactory.create(), { strict: true }).catch(() => undefined) ??
        Promise.resolve(),
      FACTORY_TIMEOUT_MS,
    );
    const made =
      typeof product === 'object' && product !== null ? classesOf(Object.getPrototypeOf(product)) : [];
    for (const contained of made) containedClasses().add(contained);
    const handling = made.find((declaring) => named.includes(declaring));
    if (handling) throw new HandlerDeclarationError(MESSAGES.handlerInScopedFactory(nameOf(handling)));
    if (made.length > 0) continue;
    warnings.push(...named.map((declaring) => MESSAGES.handlerNotProvided(nameOf(declaring), String(name))));
  }
  return warnings;
}

function nameOf(declaring: object): string {
  return 'name' in declaring ? String(declaring.name) : '';
}
