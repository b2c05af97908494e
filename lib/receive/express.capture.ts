import type { IncomingMessage } from 'node:http';
import type { HttpServer } from '@nestjs/common';
import type { BodyReader } from './raw-body.capture.js';

/** On Express: a middleware before all others. A body that was read to its end is left alone by body-parser. */
export function captureOnExpress(adapter: HttpServer, read: BodyReader): void {
  adapter.use((message: IncomingMessage, _response: unknown, next: (error?: unknown) => void) => {
    const reading = read(message, message);
    if (reading) reading.then(() => next(), next);
    else next();
  });
}
