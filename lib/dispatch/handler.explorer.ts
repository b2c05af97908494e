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
import type { EventHandler, ScalekitEventContext } from './handler.registry.js';
import { declaringClasses, handlerDeclarations, resolveHandlerOptions } from './handler-metadata.js';
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

  /** @throws HandlerDeclarationError for a decorated method that cannot run */
  async explore(): Promise<ExploredHandlers> {
    const handlers = new Map<string, EventHandler>();
    const warnings: string[] = [];
    const explored = new Set<object>();
    const scopedFactories: InstanceWrapper[] = [];
    const classOf = new Map<string, object>();

    for (const wrapper of [...this.discovery.getProviders(), ...this.discovery.getControllers()]) {
      if (wrapper.isAlias || NEST_FACTORIES.has(wrapper.token)) continue;
      if (isScopedFactory(wrapper)) {
        this.#refuseDeclarationsOf(wrapper);
        scopedFactories.push(wrapper);
        continue;
      }
      const prototype = prototypeOf(wrapper);
      if (!prototype) continue;
      for (const declaring of classesOf(prototype)) explored.add(declaring);
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
    const lost = [...declaringClasses()].filter((declaring) => !explored.has(declaring));
    if (lost.length > 0) await refuseProducts(scopedFactories, lost);
    const factories = scopedFactories.map(({ name }) => String(name));
    warnings.push(...lost.map((declaring) => MESSAGES.handlerNotProvided(nameOf(declaring), factories)));
    return { handlers: [...handlers.values()], warnings };
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
      const instance = await moduleRef.resolve(token, contextId, { strict: true });
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
  return [prototype.constructor, ...(parent ? classesOf(parent) : [])];
}

// A factory that never returns must not keep the application from starting.
const FACTORY_TIMEOUT_MS = 2000;

/** Some handler classes were not found. To find out whether a scoped factory creates one of them, it has to run. */
async function refuseProducts(factories: readonly InstanceWrapper[], lost: readonly object[]): Promise<void> {
  for (const { host, token } of factories) {
    const moduleRef: ModuleRef | undefined = host?.getProviderByKey(ModuleRef).instance;
    // The warning names factories that cannot run outside a request or never return.
    const product = await waitAtMost(
      moduleRef?.resolve(token, ContextIdFactory.create(), { strict: true }).catch(() => undefined) ??
        Promise.resolve(),
      FACTORY_TIMEOUT_MS,
    );
    if (typeof product !== 'object' || product === null) continue;
    const made = classesOf(Object.getPrototypeOf(product)).find((declaring) => lost.includes(declaring));
    if (made) throw new HandlerDeclarationError(MESSAGES.handlerInScopedFactory(nameOf(made)));
  }
}

function nameOf(declaring: object): string {
  return 'name' in declaring ? String(declaring.name) : 'anonymous class';
}
