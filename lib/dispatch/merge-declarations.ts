import { HandlerDeclarationError } from '../errors/handler-declaration.error.js';
import { MESSAGES } from '../scalekit-webhooks.messages.js';
import type { EventHandler } from './event-handler.js';
import type { HandlerDeclaration } from './handler-metadata.accessor.js';

/** Stacked decorators make one handler: all patterns, all endpoints, and one `id` and `timeout`. */
export function mergeDeclarations(
  method: string,
  declarations: readonly HandlerDeclaration[],
): Omit<EventHandler, 'id' | 'run'> & { readonly id?: string } {
  const one = <T>(setting: 'id' | 'timeout', values: readonly (T | undefined)[]): T | undefined => {
    const [value, ...others] = new Set(values.filter((given) => given !== undefined));
    if (others.length > 0)
      throw new HandlerDeclarationError(MESSAGES.handlerOptionsDisagree(method, setting));
    return value;
  };
  const id = one(
    'id',
    declarations.map(({ options }) => options.id),
  );
  const timeout = one(
    'timeout',
    declarations.map(({ options }) => options.timeout),
  );
  if (id === '' || (id === undefined && method.startsWith('.'))) {
    throw new HandlerDeclarationError(MESSAGES.handlerWithoutId(method));
  }
  if (timeout !== undefined && !(timeout > 0)) {
    throw new HandlerDeclarationError(MESSAGES.handlerTimeoutInvalid(method, timeout));
  }
  const everywhere = declarations.some(({ options }) => options.endpoint === undefined);
  return {
    patterns: [...new Set(declarations.flatMap(({ patterns }) => patterns))],
    ...(id !== undefined && { id }),
    ...(timeout !== undefined && { timeout }),
    ...(!everywhere && {
      endpoints: [...new Set(declarations.flatMap(({ options }) => options.endpoint ?? []))],
    }),
  };
}
