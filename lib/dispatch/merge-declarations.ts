import { HandlerDeclarationError } from '../errors/handler-declaration.error.js';
import { MESSAGES } from '../scalekit-webhooks.messages.js';
import type { EventHandler } from './event-handler.js';
import type { HandlerDeclaration } from './handler-metadata.accessor.js';
import type { OnScalekitEventOptions } from './on-scalekit-event.decorator.js';

type SingleOption = 'id' | 'timeout' | 'attempts' | 'backoff';

/** Stacked decorators make one handler: all patterns, all endpoints, and one of every other option. */
export function mergeDeclarations(
  method: string,
  declarations: readonly HandlerDeclaration[],
): Omit<EventHandler, 'id' | 'run'> & { readonly id?: string } {
  const one = <K extends SingleOption>(setting: K): OnScalekitEventOptions[K] => {
    const given = declarations.map(({ options }) => options[setting]).filter((value) => value !== undefined);
    const [value, ...others] = new Set(given);
    if (others.length > 0) {
      throw new HandlerDeclarationError(MESSAGES.handlerOptionsDisagree(method, setting));
    }
    return value;
  };
  const id = one('id');
  const timeout = one('timeout');
  const attempts = one('attempts');
  const backoff = one('backoff');
  if (id === '' || (id === undefined && method.startsWith('.'))) {
    throw new HandlerDeclarationError(MESSAGES.handlerWithoutId(method));
  }
  if (timeout !== undefined && !(timeout > 0)) {
    throw new HandlerDeclarationError(MESSAGES.handlerTimeoutInvalid(method, timeout));
  }
  if (attempts !== undefined && !(Number.isSafeInteger(attempts) && attempts > 0)) {
    throw new HandlerDeclarationError(MESSAGES.handlerAttemptsInvalid(method, attempts));
  }
  const everywhere = declarations.some(({ options }) => options.endpoint === undefined);
  return {
    patterns: [...new Set(declarations.flatMap(({ patterns }) => patterns))],
    ...(id !== undefined && { id }),
    ...(timeout !== undefined && { timeout }),
    ...(attempts !== undefined && { attempts }),
    ...(backoff !== undefined && { backoff }),
    ...(!everywhere && {
      endpoints: [...new Set(declarations.flatMap(({ options }) => options.endpoint ?? []))],
    }),
  };
}
