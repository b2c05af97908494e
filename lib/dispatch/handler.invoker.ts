import { Inject, Injectable } from '@nestjs/common';
import { type ContextId, type ExternalContextCreator, ModulesContainer } from '@nestjs/core';
import type { ScalekitEvent } from '../events/scalekit-event.types.js';
import {
  createHandlerContexts,
  EXCEPTION_FILTERS_METADATA,
  GUARDS_METADATA,
  HANDLER_PARAMS_FACTORY,
  HANDLER_PARAMS_METADATA,
  INTERCEPTORS_METADATA,
  PIPES_METADATA,
} from './nest-internals.js';
import type { ScalekitDelivery } from './scalekit-delivery.js';

/** `ExecutionContext.getType()` inside the guards, interceptors and filters of a handler. */
export const SCALEKIT_CONTEXT_TYPE = 'scalekit-webhook';

const ENHANCERS = [EXCEPTION_FILTERS_METADATA, PIPES_METADATA, GUARDS_METADATA, INTERCEPTORS_METADATA];

/** A method that runs for an event. */
export interface HandlerMethod {
  readonly instance: object;
  readonly name: string;
  /** The class that Nest instantiated, if any. The instance's `constructor` property may be another one. */
  readonly metatype: unknown;
  /** The token of the module that provides the instance. Its enhancers are found there. */
  readonly moduleKey: string;
  /** Set when the instance was created for one event. */
  readonly contextId?: ContextId;
}

type BoundMethod = (event: ScalekitEvent<'*'>, delivery: ScalekitDelivery) => Promise<unknown>;

/** Calls a handler's method, through Nest if guards, interceptors, pipes or filters are bound to it. */
@Injectable()
export class HandlerInvoker {
  readonly #contexts = new WeakMap<object, ExternalContextCreator>();

  constructor(@Inject(ModulesContainer) private readonly modules: ModulesContainer) {}

  bind(method: HandlerMethod): BoundMethod {
    const callback = Reflect.get(method.instance, method.name);
    const decorated = [callback, method.instance.constructor, method.metatype].filter(
      (target) => typeof target === 'function',
    );
    const has = (metadata: string) => decorated.some((target) => Reflect.hasMetadata(metadata, target));
    const context = this.#contextOf(method);
    if (!ENHANCERS.some(has)) {
      // Like Nest, waits for a promise or an Observable that the method returns.
      return async (event, delivery) => {
        const result = await callback.call(method.instance, event, delivery);
        if (result !== undefined) await context.transformToResult(result);
      };
    }
    const run = context.create<Record<string, never>, string>(
      method.instance,
      callback,
      method.name,
      // Without pipes, Nest passes the arguments on as they are.
      has(PIPES_METADATA) ? HANDLER_PARAMS_METADATA : undefined,
      HANDLER_PARAMS_FACTORY,
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

  /** Filters can report a failure or throw another error, but cannot turn it into a success. */
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

  /** One per class, because Nest caches parameters by the name of the class, and two classes may share a name. */
  #contextOf({ instance, moduleKey }: HandlerMethod): ExternalContextCreator {
    const known = this.#contexts.get(instance.constructor);
    if (known) return known;
    const contexts = createHandlerContexts(this.modules, moduleKey);
    this.#contexts.set(instance.constructor, contexts);
    return contexts;
  }
}
