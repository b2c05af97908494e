import { Inject, Injectable } from '@nestjs/common';
import { type ContextId, type ExternalContextCreator, ModulesContainer } from '@nestjs/core';
import type { ScalekitEvent } from '../events/scalekit-event.types.js';
import { DeliveryLog } from './delivery.log.js';
import { isFinalFailure } from './handler-failure.js';
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
  /** The method of the class: it carries the decorators, whatever has replaced it since. */
  readonly declared: Method;
  /** The class that Nest instantiated, if any. The instance's `constructor` property may be another one. */
  readonly metatype: unknown;
  /** The token of the module that provides the instance. Its enhancers are found there. */
  readonly moduleKey: string;
  /** Set when the instance was created for one event. */
  readonly contextId?: ContextId;
}

type Method = (...args: unknown[]) => unknown;
type BoundMethod = (event: ScalekitEvent<'*'>, delivery: ScalekitDelivery) => Promise<unknown>;

/** Calls a handler's method, through Nest if guards, interceptors, pipes or filters are bound to it. */
@Injectable()
export class HandlerInvoker {
  readonly #contexts = new WeakMap<object, ExternalContextCreator>();

  constructor(
    @Inject(ModulesContainer) private readonly modules: ModulesContainer,
    @Inject(DeliveryLog) private readonly log: DeliveryLog,
  ) {}

  /** The method as it is at each call: a spy or a patch may replace it at any time. */
  bind(method: HandlerMethod): BoundMethod {
    const { instance, name, declared } = method;
    const original = this.#bind(method, declared);
    let replaced: BoundMethod | undefined;
    return (event, delivery) => {
      if (Reflect.get(instance, name) === declared) return original(event, delivery);
      replaced ??= this.#bind(method, standIn(method));
      return replaced(event, delivery);
    };
  }

  #bind(method: HandlerMethod, callback: Method): BoundMethod {
    const { instance, name, contextId } = method;
    const decorated = [callback, instance.constructor, method.metatype].filter(
      (target) => typeof target === 'function',
    );
    const has = (metadata: string) => decorated.some((target) => Reflect.hasMetadata(metadata, target));
    const context = this.#contextOf(method);
    if (!ENHANCERS.some(has)) {
      // Like Nest, waits for a promise or an Observable that the method returns.
      return async (event, delivery) => {
        const result = await callback.call(instance, event, delivery);
        if (result !== undefined) await context.transformToResult(result);
      };
    }
    const run = context.create<Record<string, never>, string>(
      instance,
      callback,
      name,
      // Without pipes, Nest passes the arguments on as they are.
      has(PIPES_METADATA) ? HANDLER_PARAMS_METADATA : undefined,
      HANDLER_PARAMS_FACTORY,
      contextId,
      undefined,
      { guards: true, interceptors: true, filters: false },
      SCALEKIT_CONTEXT_TYPE,
    );
    if (!has(EXCEPTION_FILTERS_METADATA)) return run;
    return async (event, delivery) => {
      try {
        return await run(event, delivery);
      } catch (failure) {
        throw await this.#throughFilters(method, failure, event, delivery);
      }
    };
  }

  /**
   * Filters can report a failure, or make it final. They cannot turn it into a success, and a filter that crashes does not
   * hide it.
   *
   * @returns the error that decides about the run
   */
  async #throughFilters(
    method: HandlerMethod,
    failure: unknown,
    event: ScalekitEvent<'*'>,
    delivery: ScalekitDelivery,
  ): Promise<unknown> {
    const { instance, name, declared, contextId } = method;
    const fail = () => {
      throw failure;
    };
    const filters = Reflect.getMetadata(EXCEPTION_FILTERS_METADATA, declared);
    if (filters) Reflect.defineMetadata(EXCEPTION_FILTERS_METADATA, filters, fail);
    const run = this.#contextOf(method).create<Record<string, never>, string>(
      instance,
      fail,
      `${name}:filters`,
      undefined,
      undefined,
      contextId,
      undefined,
      { guards: false, interceptors: false, filters: true },
      SCALEKIT_CONTEXT_TYPE,
    );
    try {
      await run(event, delivery);
      return failure;
    } catch (thrown) {
      if (thrown === failure) return failure;
      const methodName = `${instance.constructor.name}.${name}`;
      const isFinal = isFinalFailure(thrown);
      this.log.filterThrew(event, methodName, isFinal, isFinal ? failure : thrown);
      return isFinal ? thrown : failure;
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

/** Calls whatever has replaced a method. To Nest it looks like the method: it has the same name and metadata. */
function standIn({ instance, name, declared }: HandlerMethod): Method {
  const callback: Method = (...args) => Reflect.get(instance, name).apply(instance, args);
  Object.defineProperty(callback, 'name', { value: declared.name });
  // Metadata is inherited.
  return Object.setPrototypeOf(callback, declared);
}
