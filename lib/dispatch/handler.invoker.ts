import { Inject, Injectable } from '@nestjs/common';
import { type ContextId, ExternalContextCreator, ModulesContainer, NestContainer } from '@nestjs/core';
import type { ScalekitEvent } from '../events/scalekit-event.types.js';
import { DELIVERY_PARAM, HANDLER_PARAMS_METADATA } from './handler-metadata.js';
import type { ScalekitDelivery } from './scalekit-delivery.js';

/** `ExecutionContext.getType()` inside the guards, interceptors and filters of a handler. */
export const SCALEKIT_CONTEXT_TYPE = 'scalekit-webhook';

// Nest exports no constants for the metadata that `@UseFilters`, `@UsePipes`, `@UseGuards` and `@UseInterceptors` write.
const EXCEPTION_FILTERS_METADATA = '__exceptionFilters__';
const PIPES_METADATA = '__pipes__';
const GUARDS_METADATA = '__guards__';
const INTERCEPTORS_METADATA = '__interceptors__';
const ENHANCERS = [EXCEPTION_FILTERS_METADATA, PIPES_METADATA, GUARDS_METADATA, INTERCEPTORS_METADATA];

const PARAMS_FACTORY = {
  exchangeKeyForValue: (type: number, _data: unknown, [event, delivery]: unknown[]) =>
    type === DELIVERY_PARAM ? delivery : event,
};

/** A method that runs for an event. */
export interface HandlerMethod {
  readonly instance: object;
  readonly name: string;
  /** What Nest made the instance of, where that is a class: its own `constructor` may have been replaced. */
  readonly metatype: unknown;
  /** Key of the module that provides the instance, where its enhancers are found. */
  readonly moduleKey: string;
  /** Only for an instance that was made for one event. */
  readonly contextId?: ContextId;
}

type BoundMethod = (event: ScalekitEvent<'*'>, delivery: ScalekitDelivery) => Promise<unknown>;

/** The application's modules without its configuration: the global enhancers, made for HTTP, stay out of handlers. */
class EnhancersContainer extends NestContainer {
  readonly #modules: ModulesContainer;

  constructor(modules: ModulesContainer) {
    super();
    this.#modules = modules;
  }

  override getModules(): ModulesContainer {
    return this.#modules;
  }
}

/** Calls a handler's method: through Nest, where guards, interceptors, pipes or filters are bound to it. */
@Injectable()
export class HandlerInvoker {
  readonly #container: NestContainer;
  readonly #contexts = new WeakMap<object, ExternalContextCreator>();

  constructor(@Inject(ModulesContainer) modules: ModulesContainer) {
    this.#container = new EnhancersContainer(modules);
  }

  bind(method: HandlerMethod): BoundMethod {
    const callback = Reflect.get(method.instance, method.name);
    const decorated = [callback, method.instance.constructor, method.metatype].filter(
      (target) => typeof target === 'function',
    );
    const has = (metadata: string) => decorated.some((target) => Reflect.hasMetadata(metadata, target));
    const context = this.#contextOf(method);
    if (!ENHANCERS.some(has)) {
      // As Nest would, in fewer turns: what an Observable or a promise of one gives is waited for.
      return async (event, delivery) => {
        const result = await callback.call(method.instance, event, delivery);
        if (result !== undefined) await context.transformToResult(result);
      };
    }
    const run = context.create<Record<string, never>, string>(
      method.instance,
      callback,
      method.name,
      // Without it Nest hands the arguments on as they are, and spends no time on each.
      has(PIPES_METADATA) ? HANDLER_PARAMS_METADATA : undefined,
      PARAMS_FACTORY,
      method.contextId,
      undefined,
      { guards: true, interceptors: true, filters: false },
      SCALEKIT_CONTEXT_TYPE,
    );
    if (!has(EXCEPTION_FILTERS_METADATA)) return run;
    return async (event, delivery) => {
      try {
        return await run(event, delivery);
      } catch (failure) {
        throw await this.#throughFilters(method, callback, failure, event, delivery);
      }
    };
  }

  /** Filters may report a failure or throw another in its place; whatever they return, it stays a failure. */
  async #throughFilters(
    method: HandlerMethod,
    callback: object,
    failure: unknown,
    event: ScalekitEvent<'*'>,
    delivery: ScalekitDelivery,
  ): Promise<unknown> {
    const fail = () => {
      throw failure;
    };
    const filters = Reflect.getMetadata(EXCEPTION_FILTERS_METADATA, callback);
    if (filters) Reflect.defineMetadata(EXCEPTION_FILTERS_METADATA, filters, fail);
    const run = this.#contextOf(method).create<Record<string, never>, string>(
      method.instance,
      fail,
      `${method.name}:filters`,
      undefined,
      undefined,
      method.contextId,
      undefined,
      { guards: false, interceptors: false, filters: true },
      SCALEKIT_CONTEXT_TYPE,
    );
    try {
      await run(event, delivery);
      return failure;
    } catch (thrown) {
      return thrown;
    }
  }

  /** One creator per class, since Nest caches parameters by the class's name, which two classes may share. */
  #contextOf({ instance, moduleKey }: HandlerMethod): ExternalContextCreator {
    const known = this.#contexts.get(instance.constructor);
    if (known) return known;
    const creator = ExternalContextCreator.fromContainer(this.#container);
    // Nest looks for the host among providers alone, and would skip the guards of a controller's method.
    creator.getContextModuleKey = () => moduleKey;
    this.#contexts.set(instance.constructor, creator);
    return creator;
  }
}
