import { Inject, Injectable, RequestMethod } from '@nestjs/common';
import { ApplicationConfig } from '@nestjs/core';
import { RESOLVED_OPTIONS } from '../dispatch/dispatch.options.js';
import type { ReceiveOptions } from './receive.options.js';

/** Where the endpoint stands once the application's global prefix is known. */
@Injectable()
export class EndpointUrl {
  #path?: string;
  #pattern?: RegExp;

  constructor(
    @Inject(ApplicationConfig) private readonly config: ApplicationConfig,
    @Inject(RESOLVED_OPTIONS) private readonly options: ReceiveOptions,
  ) {}

  /** The endpoint's path with the global prefix. Not to be asked before the application has been configured. */
  get path(): string {
    const path = withSlash(this.options.path);
    return this.#isExcluded(path) ? path : `${withSlash(this.config.getGlobalPrefix())}${path}`;
  }

  /** Whether a request goes to the endpoint: matched as loosely as Express does, case and last slash aside. */
  matches(method: string | undefined, url: string | undefined): boolean {
    if (method !== 'POST' || url === undefined) return false;
    this.#path ??= this.path;
    this.#pattern ??= toPattern(this.#path);
    return url === this.#path || this.#pattern.test(pathOf(url));
  }

  #isExcluded(path: string): boolean {
    return (this.config.getGlobalPrefixOptions().exclude ?? []).some(
      ({ pathRegex, requestMethod }) =>
        (requestMethod === RequestMethod.ALL || requestMethod === RequestMethod.POST) && pathRegex.test(path),
    );
  }
}

/** A request's path as the platforms' routers find it: of a URL in absolute form as well, and percent-decoded. */
function pathOf(url: string): string {
  const [path = ''] = url.replace(/^https?:\/\/[^/?#]*/i, '').split(/[?#]/, 1);
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

function toPattern(path: string): RegExp {
  const segments = path.split('/').map((segment) => {
    return segment.startsWith(':') ? '[^/]+' : segment.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  });
  return new RegExp(`^${segments.join('/')}/?$`, 'i');
}
