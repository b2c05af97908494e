import { createServer } from 'node:http';
import { ExpressAdapter } from '@nestjs/platform-express';
import express, { type RequestHandler } from 'express';

/** Nest on Express, mounted in another Express application that has a middleware of its own before it. */
export class MountedExpressAdapter extends ExpressAdapter {
  constructor(private readonly before: RequestHandler) {
    super();
  }

  override initHttpServer(): void {
    this.httpServer = createServer(express().use(this.before).use(this.getInstance()));
  }
}
