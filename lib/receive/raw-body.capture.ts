import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { Inject, Injectable } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { ScalekitWebhooksConfigurationError } from '../errors/errors.js';
import { MESSAGES } from '../scalekit-webhooks.messages.js';
import { RESOLVED_OPTIONS, type ResolvedOptions } from '../scalekit-webhooks.options.js';
import { isRemembered, rememberBody } from './captured-body.js';
import { EndpointUrl } from './endpoint.url.js';
import { captureOnExpress } from './express.capture.js';
import { captureOnFastify } from './fastify.capture.js';
import { readBody } from './read-body.js';

/** Reads the body of a request to the endpoint; undefined for any other request, and for a body that was read before. */
export type BodyReader = (message: IncomingMessage, body: Readable) => Promise<void> | undefined;

/**
 * Takes the exact bytes of each delivery before any body parser sees them. It is set up while the application is
 * being created, ahead of Nest's own parsers and of everything that `main.ts` adds; on Express, ahead of every middleware.
 */
@Injectable()
export class RawBodyCapture {
  constructor(
    @Inject(HttpAdapterHost) private readonly host: HttpAdapterHost,
    @Inject(EndpointUrl) private readonly url: EndpointUrl,
    @Inject(RESOLVED_OPTIONS) private readonly options: ResolvedOptions,
  ) {
    // Under `Test.createTestingModule` the adapter comes later than the providers.
    if (host.httpAdapter) this.#install();
    else host.init$.subscribe(() => this.#install());
  }

  #install(): void {
    const { httpAdapter } = this.host;
    // An application context, such as a queue's worker, has no HTTP.
    if (!httpAdapter) return;
    const platform = httpAdapter.getType();
    if (platform === 'express') captureOnExpress(httpAdapter, this.#read);
    else if (platform === 'fastify') captureOnFastify(httpAdapter, this.#read);
    else throw new ScalekitWebhooksConfigurationError('platform', MESSAGES.platformUnknown(platform));
  }

  readonly #read: BodyReader = (message, body) =>
    this.url.matches(message.method, message.url) && !isRemembered(message)
      ? this.#capture(message, body)
      : undefined;

  async #capture(message: IncomingMessage, body: Readable): Promise<void> {
    rememberBody(message, await readBody(body, message.headers, this.options.maxBodyBytes));
  }
}
