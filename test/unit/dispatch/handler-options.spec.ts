import { describe, expect, it } from '@jest/globals';
import {
  type OnScalekitEventOptions,
  resolveHandlerOptions,
} from '../../../lib/dispatch/handler-metadata.js';

const merge = (...declared: [pattern: string, options?: OnScalekitEventOptions][]) =>
  resolveHandlerOptions(
    'Handlers.created',
    declared.map(([pattern, options = {}]) => ({ patterns: [pattern], options })),
  );

describe('stacked decorators', () => {
  it('combine their patterns, each once', () => {
    expect(merge(['a'], ['b'], ['a'])).toEqual({ patterns: ['a', 'b'] });
  });

  it('use the id and the timeout that one of them sets', () => {
    expect(merge(['a', { id: 'x' }], ['b', { timeoutMs: 5 }])).toEqual({
      patterns: ['a', 'b'],
      id: 'x',
      timeoutMs: 5,
    });
  });

  it('can set the same id', () => {
    expect(merge(['a', { id: 'x' }], ['b', { id: 'x' }]).id).toBe('x');
  });

  it('apply to all endpoints that any of them names', () => {
    const { endpoints } = merge(['a', { endpoint: 'one' }], ['b', { endpoint: ['two', 'one'] }]);

    expect(endpoints).toEqual(['one', 'two']);
  });

  it('apply to every endpoint if one of them names none', () => {
    expect(merge(['a', { endpoint: 'one' }], ['b']).endpoints).toBeUndefined();
  });

  it('cannot disagree on a timeout', () => {
    expect(() => merge(['a', { timeoutMs: 1 }], ['b', { timeoutMs: 2 }])).toThrow(/disagree on timeoutMs/);
  });
});
