import { describe, expect, it } from '@jest/globals';
import { MESSAGES } from '../../../lib/dispatch/dispatch.messages.js';
import {
  handlerDeclarations,
  type OnScalekitEventOptions,
  resolveHandlerOptions,
} from '../../../lib/dispatch/on-scalekit-event.decorator.js';

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

describe('a handler', () => {
  it('of a class without a name needs an id', () => {
    const declared = (options: OnScalekitEventOptions) => [{ patterns: ['a'], options }];

    expect(() => resolveHandlerOptions('.created', declared({}))).toThrow(/has no usable id/);
    expect(resolveHandlerOptions('.created', declared({ id: 'x' })).id).toBe('x');
  });

  it('is not a method that no class declares', () => {
    expect(handlerDeclarations({}, 'created')).toEqual([]);
    expect(handlerDeclarations({ created: () => {} }, 'created')).toEqual([]);
  });
});

describe('the log of an attempt in the background that did not end in time', () => {
  const line = (isDead: boolean) =>
    MESSAGES.overdueInBackground('A.run', 'evt_1', 'user.created', 'timeoutMs (5000 ms)', isDead);

  it('says whether the run will be retried', () => {
    expect(line(false)).toMatch(/did not end within timeoutMs \(5000 ms\); it will be retried$/);
    expect(line(true)).toMatch(/it will not run again until you replay the event$/);
  });
});
