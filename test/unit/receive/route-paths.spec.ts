import { describe, expect, it } from '@jest/globals';
import { patternOf } from '../../../lib/receive/route-paths.js';

const matches = (path: string, url: string) => patternOf(path).expression.test(url);

describe('the URLs of a path', () => {
  it.each([
    ['/api/hooks', true],
    ['/api/hooks/', true],
    ['/API/Hooks', true],
    ['/api/hooks/other', false],
    ['/api/hooks//', false],
    ['/hooks', false],
    ['/api/hooksx', false],
    ['/x/api/hooks', false],
    ['', false],
  ])('%s: %s', (url, expected) => {
    expect(matches('/api/hooks', url)).toBe(expected);
  });

  it.each([
    ['/hooks/acme', true],
    ['/hooks/a.b~c', true],
    ['/hooks/', false],
    ['/hooks/acme/more', false],
  ])('with a parameter, %s: %s', (url, expected) => {
    expect(matches('/hooks/:tenant', url)).toBe(expected);
  });

  it('have the parameters that the path names', () => {
    const { expression, params } = patternOf('/:region/hooks/:tenant');

    expect(params).toEqual(['region', 'tenant']);
    expect(expression.exec('/eu/hooks/acme')?.slice(1)).toEqual(['eu', 'acme']);
  });

  it('are told by their characters, not by a regular expression in the path', () => {
    expect(matches('/a.b', '/axb')).toBe(false);
  });
});
