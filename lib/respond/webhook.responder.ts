import { ServerResponse } from 'node:http';
import { Inject, Injectable } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { RESOLVED_OPTIONS, type ResolvedOptions } from '../scalekit-webhooks.options.js';
import type { Outcome } from './outcome.js';
import { answerFor } from './outcome.table.js';

/** Writes the answer itself, so that no interceptor or filter of the host changes what Scalekit sees. */
@Injectable()
export class WebhookResponder {
  constructor(
    @Inject(HttpAdapterHost) private readonly host: HttpAdapterHost,
    @Inject(RESOLVED_OPTIONS) private readonly options: ResolvedOptions,
  ) {}

  answer(response: unknown, outcome: Outcome, retryAfter?: number): void {
    const { status, body, retryAfterSeconds } = answerFor(outcome, this.options.statusCodes, retryAfter);
    const { httpAdapter } = this.host;
    if (retryAfterSeconds !== undefined) {
      httpAdapter.setHeader(response, 'Retry-After', String(retryAfterSeconds));
    }
    if (response instanceof ServerResponse) writeJson(response, status, body);
    else httpAdapter.reply(response, body, status);
  }
}

/** As Express would, but for the ETag: it hashes the answer to a POST, which nobody ever asks for again. */
function writeJson(response: ServerResponse, status: number, body: object): void {
  response.statusCode = status;
  response.setHeader('Content-Type', 'application/json; charset=utf-8');
  response.end(JSON.stringify(body));
}
