import { type ArgumentsHost, Catch, type ExceptionFilter, Inject } from '@nestjs/common';
import { DeliveryLog } from '../dispatch/delivery.log.js';
import { ScalekitWebhooksError } from '../errors/scalekit-webhooks.error.js';
import { outcomeOfError } from '../respond/outcome-of-error.js';
import { type PlatformResponse, WebhookResponder } from '../respond/webhook.responder.js';

/** Answers for the deliveries that are turned away, ahead of a host's global filters. */
@Catch(ScalekitWebhooksError)
export class WebhookRefusalFilter implements ExceptionFilter<ScalekitWebhooksError> {
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
