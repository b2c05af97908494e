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
    httpAdapter.reply(response, body, status);
  }
}
