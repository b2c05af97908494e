import { describe, expect, it } from '@jest/globals';
import { reportFailure } from '../../../lib/dispatch/handler-failure.js';

describe('the report of a failure', () => {
  it.each<[unknown, string]>([
    [new TypeError('broken'), 'TypeError: broken'],
    ['broken', 'NonErrorThrown: a string was thrown: "broken"'],
    [7, 'NonErrorThrown: a number was thrown: 7'],
    [undefined, 'NonErrorThrown: undefined was thrown'],
    [null, 'NonErrorThrown: null was thrown'],
    [{ email: 'ada@example.com' }, 'NonErrorThrown: an object was thrown'],
    [() => 'ada@example.com', 'NonErrorThrown: a function was thrown'],
  ])('sums up %j as %s', (thrown, summary) => {
    expect(reportFailure(thrown).summary).toBe(summary);
  });

  it('ends where causes form a circle', () => {
    const [one, other] = [new Error('one'), new Error('other')];
    Object.assign(one, { cause: other });
    Object.assign(other, { cause: one });

    expect(reportFailure(one).details).toContain('    Caused by: Error: one (see above)');
  });

  it('ends where an AggregateError is a part of itself', () => {
    const error = new AggregateError([], 'all failed');
    error.errors.push(error);

    expect(reportFailure(error).details).toContain('  Part 1 of 1: AggregateError: all failed (see above)');
  });

  it('has a limited length, however many errors are linked and however long their texts are', () => {
    const long = 'x'.repeat(100_000);
    const tree = (depth: number): Error =>
      depth === 0
        ? new Error(long)
        : new AggregateError(
            Array.from({ length: 30 }, () => tree(depth - 1)),
            long,
            { cause: tree(depth - 1) },
          );
    const chain = Array.from({ length: 100 }).reduce<Error>(
      (cause) => new Error(long, { cause }),
      new Error(),
    );

    for (const error of [tree(2), chain]) {
      const { summary, details } = reportFailure(error);
      expect(summary.length).toBeLessThan(1000);
      expect(details.length).toBeLessThan(100_000);
      expect(details.split('\n').length).toBeLessThan(400);
    }
  });

  it('contains no line of a message that has lines', () => {
    const error = new Error('one\n    at forged (file.js:1:1)\ntwo');

    expect(reportFailure(error).summary).toBe(String.raw`Error: one\n    at forged (file.js:1:1)\ntwo`);
    expect(reportFailure(error).details).not.toContain('two');
  });

  it.each([
    ['throws when it is read', new Proxy(new Error('no'), { get: () => Reflect.apply(fail, undefined, []) })],
    ['has a stack that is no text', Object.assign(new Error('no'), { stack: { toString: fail } })],
    ['has parts that are no errors', Object.assign(new Error('no'), { errors: [null, 1, { a: 1 }] })],
  ])('is made of an error that %s', (_kind, error) => {
    expect(reportFailure(error).summary).toMatch(/Error/);
    expect(reportFailure(error).details).not.toContain('Part');
  });
});

function fail(): never {
  throw new TypeError('no');
}
