import { Inject, Injectable, RequestMethod } from '@nestjs/common';
import { ApplicationConfig } from '@nestjs/core';
import { RESOLVED_OPTIONS } from '../dispatch/dispatch.options.js';
import type { ReceiveOptions } from './receive.options.js';

/** The URL of the endpoint, with the application's global prefix. */
@Injectable()
export class EndpointUrl {
  #pattern?: RegExp;

  constructor(
    @Inject(ApplicationConfig) private readonly config: ApplicationConfig,
    @Inject(RESOLVED_OPTIONS) private readonly options: ReceiveOptions,
  ) {}

  /** The path with the global prefix. Complete once `main.ts` has configured the application. */
  get path(): string {
    const path = withSlash(this.options.path);
    return this.#isExcluded(path) ? path : `${withSlash(this.config.getGlobalPrefix())}${path}`;
  }

  /** Whether a request goes to the endpoint. Like Express, it ignores case and a trailing slash. */
  matches(method: string | undefined, url: string | undefined): boolean {
    if (method !== 'POST' || url === undefined) return false;
    this.#pattern ??= toPattern(this.path);
    return this.#pattern.test(pathOf(url));
  }

  #isExcluded(path: string): boolean {
    return (this.config.getGlobalPrefixOptions().exclude ?? []).some(
      ({ pathRegex, requestMethod }) =>
        (requestMethod === RequestMethod.ALL || requestMethod === RequestMethod.POST) && pathRegex.test(path),
    );
  }
}

/** A URL without its query, percent-decoded as in Fastify's router. */
function pathOf(url: string): string {
  const end = url.search(/[?#]/);
  const path = end === -1 ? url : url.slice(0, end);
  try {
    return decodeURI(path);
  } catch {
    return path;
  }
}

function withSlash(path: string): string {
  const trimmed = path.replace(/^\/+|\/+$/g, '');
  return trimmed && `/${trimmed}`;
}

/** Matches a path, and a URL with a host, which HTTP allows as well. */
function toPattern(path: string): RegExp {
  const segments = path.split('/').map((segment) => {
    return segment.startsWith(':') ? '[^/]+' : segment.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  });
  return new RegExp(`^(?:https?://[^/]*)?${segments.join('/')}/?$`, 'i');
}
