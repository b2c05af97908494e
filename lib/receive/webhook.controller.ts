import {
  applyDecorators,
  Controller,
  Inject,
  Post,
  Req,
  Res,
  type Type,
  UseFilters,
  UseGuards,
  VERSION_NEUTRAL,
} from '@nestjs/common';
import { ReceivedEvent } from '../dispatch/received-event.js';
import type { ScalekitDelivery } from '../dispatch/scalekit-delivery.js';
import { ScalekitEventDispatcher } from '../dispatch/scalekit-event.dispatcher.js';
import { DeliveryRefusedError } from '../errors/delivery-refused.error.js';
import { parseEvent } from '../parse/parse-event.js';
import { type PlatformResponse, WebhookResponder } from '../respond/webhook.responder.js';
import { MESSAGES } from '../scalekit-webhooks.messages.js';
import { RESOLVED_OPTIONS, type ResolvedOptions } from '../scalekit-webhooks.options.js';
import { ScalekitSignatureGuard } from '../verify/scalekit-signature.guard.js';
import { bodyOf } from './captured-body.js';
import { requireEnvironment } from './require-environment.js';
import { WebhookRefusalFilter } from './webhook-refusal.filter.js';

interface WebhookRequest {
  readonly headers: ScalekitDelivery['headers'];
}

/** A fresh class for each endpoint, since path, version and decorators are metadata of the class. */
export function createWebhookController(path: string, decorators: readonly ClassDecorator[]): Type<unknown> {
  @Controller({ path, version: VERSION_NEUTRAL })
  @UseFilters(WebhookRefusalFilter)
  class ScalekitWebhookController {
    constructor(
      @Inject(RESOLVED_OPTIONS) private readonly options: ResolvedOptions,
      @Inject(ScalekitEventDispatcher) private readonly dispatcher: ScalekitEventDispatcher,
      @Inject(WebhookResponder) private readonly responder: WebhookResponder,
    ) {}

    @Post()
    @UseGuards(ScalekitSignatureGuard)
    async receive(@Req() request: WebhookRequest, @Res() response: PlatformResponse): Promise<void> {
      const body = bodyOf(request);
      if ('refusal' in body || !body.verified) {
        throw new DeliveryRefusedError('misconfigured', MESSAGES.bodyRefused.misconfigured);
      }
      const { bytes: rawBody, receivedAt } = body;
      const { deliveryId } = body.verified;
      const parsed = parseEvent(rawBody, this.options.validation);
      requireEnvironment(parsed.event, this.options.environmentIds);
      const { headers } = request;
      const received = new ReceivedEvent(parsed, { deliveryId, receivedAt, rawBody, headers });
      const result = await this.dispatcher.handle(received);
      this.responder.answer(response, result.outcome, result.retryAfterSeconds);
    }
  }
  applyDecorators(...decorators)(ScalekitWebhookController);
  return ScalekitWebhookController;
}
