import { createServer } from 'node:http';
import { ExpressAdapter } from '@nestjs/platform-express';
import express, { type NextFunction, type Request, type RequestHandler, type Response } from 'express';

/** Nest on Express, mounted in another Express application behind a middleware. */
export class MountedExpressAdapter extends ExpressAdapter {
  /** @param onError is called with errors that reach the outer application, instead of its own error handler */
  constructor(
    private readonly before: RequestHandler,
    private readonly onError?: (error: unknown) => void,
  ) {
    super();
  }

  override initHttpServer(): void {
    const host = express().use(this.before).use(this.getInstance());
    const { onError } = this;
    if (onError) host.use((error: unknown, _: Request, __: Response, ___: NextFunction) => onError(error));
    this.httpServer = createServer(host);
  }
}
