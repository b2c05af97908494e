import 'reflect-metadata';
import { HandlerDeclarationError } from '../errors/errors.js';
import type { ScalekitEvent, ScalekitEventPattern } from '../events/scalekit-event.types.js';
import { MESSAGES } from './dispatch.messages.js';
import { checkDeclaration, declareHandler, type OnScalekitEventOptions } from './handler-metadata.js';
import type { ScalekitDelivery } from './scalekit-delivery.js';

type PatternIn<P> = P extends readonly (infer Item extends ScalekitEventPattern)[]
  ? Item
  : P extends ScalekitEventPattern
    ? P
    : never;

// The target of a static method is a class, which has a prototype.
type ClassInstance = object & { readonly prototype?: never };

type ScalekitEventHandler<P> = (event: ScalekitEvent<PatternIn<P>>, delivery: ScalekitDelivery) => unknown;

/**
 * Makes a method of a provider or controller the handler of an event type, of several types, or of all types that match
 * a pattern. You can stack decorators: the method still runs once per event, even if several of them match. A parameter
 * that does not fit the event does not compile.
 *
 * @param pattern an event type, a pattern such as `'organization.*'` or `'*'`, or an array of these
 * @throws HandlerDeclarationError when it decorates anything but an instance method, or a pattern or an option is invalid
 * @example
 * ```ts
 * @OnScalekitEvent('user.created')
 * async welcome(event: ScalekitEvent<'user.created'>, delivery: ScalekitDelivery) {}
 * ```
 */
export function OnScalekitEvent<
  const P extends ScalekitEventPattern | readonly [ScalekitEventPattern, ...ScalekitEventPattern[]],
>(pattern: P, options: OnScalekitEventOptions<ScalekitEvent<PatternIn<P>>> = {}) {
  return <H extends ScalekitEventHandler<P>>(
    target: ClassInstance,
    methodName: string | symbol,
    descriptor: TypedPropertyDescriptor<H>,
  ): void => {
    if (typeof target === 'function' || typeof descriptor?.value !== 'function') {
      throw new HandlerDeclarationError(MESSAGES.notAnInstanceMethod(String(methodName)));
    }
    const method = `${target.constructor.name}.${String(methodName)}`;
    const checked = checkDeclaration(method, pattern, options);
    const patterns: readonly ScalekitEventPattern[] = typeof pattern === 'string' ? [pattern] : pattern;
    declareHandler(target, methodName, { patterns, options: checked }, descriptor.value.length);
  };
}
