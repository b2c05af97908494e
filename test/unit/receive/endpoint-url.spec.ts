import { describe, expect, it } from '@jest/globals';
import { ApplicationConfig } from '@nestjs/core';
import { EndpointUrl } from '../../../lib/receive/endpoint.url.js';
import { resolveOptions } from '../../../lib/scalekit-webhooks.resolve-options.js';

function urlOf(path: string, prefix = ''): EndpointUrl {
  const config = new ApplicationConfig();
  config.setGlobalPrefix(prefix);
  return new EndpointUrl(config, resolveOptions({}, { path, name: 'default' }));
}

describe('the path of an endpoint', () => {
  it.each([
    ['hooks', '', '/hooks'],
    ['hooks', 'api', '/api/hooks'],
    ['hooks', '/api/', '/api/hooks'],
    ['hooks', 'api/v1', '/api/v1/hooks'],
    ['hooks/:tenant', '/', '/hooks/:tenant'],
  ])('%s below the prefix "%s" is %s', (path, prefix, expected) => {
    expect(urlOf(path, prefix).path).toBe(expected);
  });
});

describe('the requests that go to an endpoint', () => {
  it.each([
    ['POST', '/api/hooks', true],
    ['POST', '/api/hooks/', true],
    ['POST', '/API/Hooks', true],
    ['POST', '/api/hooks?a=/b', true],
    ['POST', '/api/hooks/other', false],
    ['POST', '/hooks', false],
    ['POST', '/api/hooksx', false],
    ['POST', '/x/api/hooks', false],
    ['POST', undefined, false],
    ['GET', '/api/hooks', false],
    [undefined, '/api/hooks', false],
  ])('%s %s: %s', (method, url, expected) => {
    expect(urlOf('hooks', 'api').matches(method, url)).toBe(expected);
  });

  it.each([
    ['/hooks/acme', true],
    ['/hooks/a.b~c', true],
    ['/hooks/', false],
    ['/hooks/acme/more', false],
  ])('with a parameter in its path, POST %s: %s', (url, expected) => {
    expect(urlOf('hooks/:tenant').matches('POST', url)).toBe(expected);
  });

  it('are told by their characters, not by a regular expression in its path', () => {
    expect(urlOf('a.b').matches('POST', '/axb')).toBe(false);
  });
});
