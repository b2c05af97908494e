import { describe, expect, it } from '@jest/globals';
import type { OnScalekitEventOptions } from '../../../lib/dispatch/handler-metadata.js';
import { resolveHandlerOptions } from '../../../lib/dispatch/handler-metadata.js';

const merge = (...declared: [pattern: string, options?: OnScalekitEventOptions][]) =>
  resolveHandlerOptions(
    'Handlers.created',
    declared.map(([pattern, options = {}]) => ({ patterns: [pattern], options })),
  );

describe('stacked decorators', () => {
  it('have all their patterns, each once', () => {
    expect(merge(['a'], ['b'], ['a'])).toEqual({ patterns: ['a', 'b'] });
  });

  it('have the id and the timeout that one of them gives', () => {
    expect(merge(['a', { id: 'x' }], ['b', { timeoutMs: 5 }])).toEqual({
      patterns: ['a', 'b'],
      id: 'x',
      timeoutMs: 5,
    });
  });

  it('may agree on an id', () => {
    expect(merge(['a', { id: 'x' }], ['b', { id: 'x' }]).id).toBe('x');
  });

  it('are for all endpoints that any of them names', () => {
    const { endpoints } = merge(['a', { endpoint: 'one' }], ['b', { endpoint: ['two', 'one'] }]);

    expect(endpoints).toEqual(['one', 'two']);
  });

  it('are for every endpoint where one of them names none', () => {
    expect(merge(['a', { endpoint: 'one' }], ['b']).endpoints).toBeUndefined();
  });

  it('cannot disagree on a timeout', () => {
    expect(() => merge(['a', { timeoutMs: 1 }], ['b', { timeoutMs: 2 }])).toThrow(/disagree on timeoutMs/);
  });
});
