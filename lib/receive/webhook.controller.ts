import {
  type ArgumentsHost,
  applyDecorators,
  Catch,
  Controller,
  type ExceptionFilter,
  Inject,
  Post,
  Req,
  Res,
  type Type,
  UseFilters,
  UseGuards,
  VERSION_NEUTRAL,
} from '@nestjs/common';
import { DeliveryLog } from '../dispatch/delivery.log.js';
import { RESOLVED_OPTIONS } from '../dispatch/dispatch.options.js';
import { ReceivedEvent } from '../dispatch/received-event.js';
import type { ScalekitDelivery } from '../dispatch/scalekit-delivery.js';
import { ScalekitEventDispatcher } from '../dispatch/scalekit-event.dispatcher.js';
import { ScalekitWebhooksError } from '../errors/errors.js';
import type { ScalekitEvent } from '../events/scalekit-event.types.js';
import { parseEvent } from '../parse/parse-event.js';
import { DeliveryRefusedError, outcomeOfError } from '../respond/outcome.js';
import { bodyOf } from './captured-body.js';
import { MESSAGES } from './receive.messages.js';
import type { ReceiveOptions } from './receive.options.js';
import { ScalekitSignatureGuard } from './scalekit-signature.guard.js';
import { type PlatformResponse, WebhookResponder } from './webhook.responder.js';

/** @throws DeliveryRefusedError for an event of an environment that the endpoint does not take */
function requireEnvironment(
  { environment_id: found }: ScalekitEvent<'*'>,
  expected: ReadonlySet<string> | undefined,
): void {
  if (expected === undefined || expected.has(found ?? '')) return;
  throw new DeliveryRefusedError('wrong_environment', MESSAGES.wrongEnvironment);
}

/** Answers for the deliveries that are turned away, ahead of a host's global filters. */
@Catch(ScalekitWebhooksError)
class WebhookRefusalFilter implements ExceptionFilter<ScalekitWebhooksError> {
  constructor(
    @Inject(DeliveryLog) private readonly log: DeliveryLog,
    @Inject(WebhookResponder) private readonly responder: WebhookResponder,
  ) {}

  catch(error: ScalekitWebhooksError, host: ArgumentsHost): void {
    const outcome = outcomeOfError(error);
    this.log.refusal(outcome, error);
    const response = host.switchToHttp().getResponse<PlatformResponse>();
    this.responder.answer(response, outcome);
  }
}

interface WebhookRequest {
  readonly headers: ScalekitDelivery['headers'];
}

/** A fresh class for each endpoint, since path, version and decorators are metadata of the class. */
export function createWebhookController(path: string, decorators: readonly ClassDecorator[]): Type<unknown> {
  @Controller({ path, version: VERSION_NEUTRAL })
  @UseFilters(WebhookRefusalFilter)
  class ScalekitWebhookController {
    constructor(
      @Inject(RESOLVED_OPTIONS) private readonly options: ReceiveOptions,
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
