import type { IncomingMessage } from 'node:http';
import type { HttpServer } from '@nestjs/common';
import type { BodyReader } from './raw-body.capture.js';

/** What this module uses of Express. */
interface ExpressApplication {
  /** Takes each request, from Node's server or from an application that this one is mounted in. */
  handle(message: IncomingMessage, response: unknown, next?: unknown): void;
}

/**
 * On Express: before Express itself, which gives each request another prototype and fields of its own; from then on all
 * that reading takes would cost V8 a search. A body that was read to its end is left alone by body-parser.
 */
export function captureOnExpress(adapter: HttpServer, read: BodyReader): void {
  const application: ExpressApplication = adapter.getInstance();
  const { handle } = application;
  application.handle = (message, response, next) => {
    const proceed = () => handle.call(application, message, response, next);
    const reading = read(message, message);
    // Where reading failed there is no body, and the guard refuses the request.
    if (reading) reading.then(proceed, proceed);
    else proceed();
  };
}
