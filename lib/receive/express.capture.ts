import type { IncomingMessage, ServerResponse } from 'node:http';
import type { HttpServer } from '@nestjs/common';
import type { BodyReader } from './raw-body.capture.js';

/** What this module uses of Express. */
interface ExpressApplication {
  /** Takes each request, from Node's server or from an application that this one is mounted in. */
  handle(message: IncomingMessage, response: ServerResponse, next?: Next): void;
}

type Next = (error?: unknown) => void;

// In the order in which the endpoints were set up, which is also that of their routes.
const READERS = new WeakMap<ExpressApplication, BodyReader[]>();

/**
 * On Express: before Express itself and all its middlewares, since Express adds to each request in a way that makes every
 * later look at it slow. A body that was read to its end is left alone by body-parser. A middleware looks once more, for
 * requests whose URL another one has rewritten.
 */
export function captureOnExpress(adapter: HttpServer, read: BodyReader): void {
  const application: ExpressApplication = adapter.getInstance();
  adapter.use((message: IncomingMessage, _response: unknown, next: Next) => {
    const reading = read(message, message);
    if (reading) reading.then(() => next(), next);
    else next();
  });
  const readers = READERS.get(application);
  if (readers) readers.push(read);
  else readAhead(application, [read]);
}

function readAhead(application: ExpressApplication, readers: BodyReader[]): void {
  READERS.set(application, readers);
  const { handle } = application;
  application.handle = (message, response, next) => {
    const reading = firstReading(readers, message);
    if (!reading) return handle.call(application, message, response, next);
    // Express throws where the request was answered while its body came.
    const giveUp = (error: unknown) => (next ? next(error) : response.destroy());
    reading.then(() => handle.call(application, message, response, next)).catch(giveUp);
  };
}

function firstReading(readers: readonly BodyReader[], message: IncomingMessage): Promise<void> | undefined {
  for (const read of readers) {
    const reading = read(message, message);
    if (reading) return reading;
  }
  return undefined;
}
