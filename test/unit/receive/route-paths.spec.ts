import { describe, expect, it } from '@jest/globals';
import { covers, isSameRoute, patternOf } from '../../../lib/receive/endpoint.routes.js';

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

describe('a route', () => {
  it.each([
    '/webhooks/scalekit',
    '/Webhooks/Scalekit',
    '/:provider/scalekit',
    '/webhooks/:provider',
    '/:a/:b',
    '/*',
    '/*path',
    '/{*path}',
    '/webhooks/*rest',
    '/webhooks/(.*)',
    '/webhooks{/:provider}',
  ])('%s covers /webhooks/scalekit', (path) => {
    expect(covers(path, '/webhooks/scalekit')).toBe(true);
  });

  it.each([
    '/',
    '/webhooks',
    '/webhooks/stripe',
    '/webhooks/scalekit/more',
    '/:webhooks',
    '/:a/:b/:c',
    '/api/*path',
    '/v1/webhooks/scalekit',
    '/webhooks/:id(\\d+)',
  ])('%s does not cover it', (path) => {
    expect(covers(path, '/webhooks/scalekit')).toBe(false);
  });

  it('covers a parameter only with a parameter or a wildcard', () => {
    expect(covers('/hooks/:customer', '/hooks/:tenant')).toBe(true);
    expect(covers('/hooks/*path', '/hooks/:tenant')).toBe(true);
    expect(covers('/hooks/stripe', '/hooks/:tenant')).toBe(false);
    expect(covers('/hooks/:tenant', '/hooks/stripe')).toBe(true);
  });

  it('is the same as another one whatever the names of its parameters', () => {
    expect(isSameRoute('/hooks/:customer', '/Hooks/:tenant')).toBe(true);
    expect(isSameRoute('/hooks/stripe', '/hooks/:tenant')).toBe(false);
  });
});
