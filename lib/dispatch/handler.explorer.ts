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
import { isResolved } from './nest-internals.js';
import type { ScalekitWebhooksObserver } from './observers.js';
import {
  containedClasses,
  declaringClasses,
  handlerDeclarations,
  isObserverClass,
  requestedEvents,
  resolveHandlerOptions,
} from './on-scalekit-event.decorator.js';
import { waitAtMost } from './timeout.js';

// Nest's own request-scoped factories, which every application has.
const NEST_FACTORIES: ReadonlySet<unknown> = new Set([REQUEST, INQUIRER]);

type InstanceWrapper = ReturnType<DiscoveryService['getProviders']>[number];
type HandlerRun = EventHandler['run'];
type ContextId = ReturnType<typeof ContextIdFactory.create>;

/** The events that a handler asked for, and why it cannot run. */
export interface RefusedHandler extends Pick<EventHandler, 'patterns' | 'endpoints'> {
  readonly error: unknown;
}

/** The handlers of an application, and warnings about their declarations. */
export interface ExploredHandlers {
  readonly handlers: readonly EventHandler[];
  readonly refused: readonly RefusedHandler[];
  /** The providers that are decorated with `@ScalekitObserver()`. */
  readonly observers: readonly ScalekitWebhooksObserver[];
  readonly warnings: readonly string[];
  /** Whether a module was still being loaded. */
  readonly isComplete: boolean;
}

/** A decorated method, with the error if it cannot run. */
type DeclaredHandler = ReturnType<typeof resolveHandlerOptions> & {
  readonly methodName: string;
  readonly error?: HandlerDeclarationError;
};

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
   * @param isStarting whether the application is starting, so that none of its modules is still being loaded
   */
  async explore(isStarting: boolean): Promise<ExploredHandlers> {
    const handlers = new Map<string, EventHandler>();
    const refused: RefusedHandler[] = [];
    const observers: ScalekitWebhooksObserver[] = [];
    const warnings: string[] = [];
    const scopedFactories: InstanceWrapper[] = [];
    const classOf = new Map<string, object>();
    let isComplete = true;

    for (const wrapper of [...this.discovery.getProviders(), ...this.discovery.getControllers()]) {
      if (wrapper.isAlias || NEST_FACTORIES.has(wrapper.token)) continue;
      // A test may have replaced the provider of a class by an object of any kind.
      if (typeof wrapper.token === 'function') containedClasses().add(wrapper.token);
      if (isScopedFactory(wrapper)) {
        if (typeof wrapper.token === 'function') refused.push(...this.#inScopedFactory(wrapper.token));
        scopedFactories.push(wrapper);
        continue;
      }
      // A module that is still being loaded has its own class among these.
      if (!isStarting && isStatic(wrapper) && !isResolved(wrapper)) {
        isComplete = false;
        continue;
      }
      const prototype = prototypeOf(wrapper);
      if (!prototype) continue;
      for (const contained of classesOf(prototype)) containedClasses().add(contained);
      if (isObserverClass(prototype.constructor)) {
        if (isStatic(wrapper)) observers.push(wrapper.instance);
        else warnings.push(MESSAGES.observerNotSingleton(nameOf(prototype.constructor)));
      }
      for (const { methodName, error, ...declared } of this.#declared(prototype)) {
        const method = `${prototype.constructor.name}.${methodName}`;
        const id = declared.id ?? method;
        if (error) {
          refused.push({ ...declared, error });
        } else if (classOf.get(id) === prototype.constructor) {
          warnings.push(MESSAGES.handlerFoundTwice(id));
        } else if (handlers.has(id)) {
          refused.push({ ...declared, error: new HandlerDeclarationError(MESSAGES.handlerIdTaken(id)) });
        } else {
          handlers.set(id, { ...declared, id, run: this.#runOf(wrapper, prototype, methodName) });
          classOf.set(id, prototype.constructor);
        }
      }
    }
    // Factories may need what is still being loaded.
    if (isComplete) {
      const products = await this.#exploreProducts(scopedFactories);
      refused.push(...products.refused);
      warnings.push(...products.warnings);
    }
    return { handlers: [...handlers.values()], refused, observers, warnings, isComplete };
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

  #declared(prototype: object): DeclaredHandler[] {
    return this.scanner.getAllMethodNames(prototype).flatMap((methodName) => {
      const declarations = handlerDeclarations(prototype, methodName);
      if (declarations.length === 0) return [];
      try {
        const method = `${prototype.constructor.name}.${methodName}`;
        return [{ methodName, ...resolveHandlerOptions(method, declarations) }];
      } catch (error) {
        if (!(error instanceof HandlerDeclarationError)) throw error;
        return [{ methodName, ...requestedEvents(declarations), error }];
      }
    });
  }

  /** The handlers of a class that a request-scoped or transient factory creates. */
  #inScopedFactory(created: object): RefusedHandler[] {
    const prototype: unknown = Reflect.get(created, 'prototype');
    if (typeof prototype !== 'object' || prototype === null) return [];
    const error = new HandlerDeclarationError(MESSAGES.handlerInScopedFactory(nameOf(created)));
    return this.#declared(prototype).map((declared) => ({ ...declared, error }));
  }

  /**
   * Finds the handlers of classes that scoped factories create. To find out, a factory has to run, so only those run that
   * name such a class, and only if no application contains it.
   *
   * @returns warnings about factories that name a class, but cannot run outside a request, or never return
   */
  async #exploreProducts(
    factories: readonly InstanceWrapper[],
  ): Promise<Pick<ExploredHandlers, 'refused' | 'warnings'>> {
    const refused: RefusedHandler[] = [];
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
      const handling = made.filter((created) => named.includes(created));
      refused.push(...handling.flatMap((created) => this.#inScopedFactory(created)));
      for (const contained of made) if (!handling.includes(contained)) containedClasses().add(contained);
      if (made.length > 0) continue;
      warnings.push(
        ...named.map((declaring) => MESSAGES.handlerNotProvided(nameOf(declaring), String(name))),
      );
    }
    return { refused, warnings };
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
  return !wrapper.isTransient && wrapper.isDependencyTreeStatic();
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

function nameOf(declaring: object): string {
  return 'name' in declaring ? String(declaring.name) : '';
}
