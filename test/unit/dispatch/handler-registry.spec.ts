import { describe, expect, it } from '@jest/globals';
import { type EventHandler, HandlerRegistry, patternsOf } from '../../../lib/dispatch/handler.registry.js';

const handler = (id: string, ...patterns: string[]): EventHandler => ({ id, patterns, run: async () => {} });

describe('patternsOf', () => {
  it.each([
    ['ping', ['ping', '*']],
    ['user.created', ['user.created', 'user.*', '*']],
    ['a.b.c', ['a.b.c', 'a.b.*', 'a.*', '*']],
    ['.created', ['.created', '*']],
    ['user.', ['user.', 'user.*', '*']],
  ])('returns the patterns for %s: %j', (type, patterns) => {
    expect(patternsOf(type)).toEqual(patterns);
  });
});

describe('HandlerRegistry', () => {
  const registry = new HandlerRegistry([
    handler('all', '*'),
    handler('several', 'user.created', 'user.*', '*'),
    handler('repeated', 'user.created', 'user.created'),
    { ...handler('choosy', 'user.*'), accepts: (type) => type === 'user.deleted' },
  ]);
  const matching = (type: string) => registry.matching(type).map(({ id }) => id);

  it('finds each matching handler once', () => {
    expect(matching('user.created').toSorted()).toEqual(['all', 'repeated', 'several']);
  });

  it('asks a handler that has an accepts function', () => {
    expect(matching('user.deleted').toSorted()).toEqual(['all', 'choosy', 'several']);
  });

  it.each(['constructor', '__proto__', 'toString.x'])('finds only catch-all handlers for %s', (type) => {
    expect(matching(type)).toEqual(['all', 'several']);
  });
});
