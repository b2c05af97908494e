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
import { RESOLVED_OPTIONS } from '../dispatch/dispatch.providers.js';
import { type DispatchResult, ReceivedEvent } from '../dispatch/received-event.js';
import { ScalekitEventDispatcher } from '../dispatch/scalekit-event.dispatcher.js';
import { ScalekitWebhooksError } from '../errors/errors.js';
import type { ScalekitEvent } from '../events/scalekit-event.types.js';
import { parseEvent } from '../parse/parse-event.js';
import { ScalekitInbox } from '../replay/scalekit-inbox.js';
import { DeliveryRefusedError } from '../respond/outcome.js';
import { DeliveryResponder, type PlatformResponse } from './delivery.responder.js';
import { type CapturedBytes, capturedBody, type PlatformRequest } from './raw-body.js';
import { MESSAGES } from './receive.messages.js';
import type { ReceiveOptions } from './receive.options.js';
import { ScalekitSignatureGuard } from './scalekit-signature.guard.js';

/** What happened to a delivery, and how the replay that it asked for ended, if it asked for one. */
type DeliveryResult = Pick<DispatchResult, 'outcome' | 'retryAfterSeconds'> & { readonly end?: string };

/** The controller of one endpoint. Each endpoint needs its own class, because Nest stores a route's path on the class. */
export function createWebhookController(path: string, decorators: readonly ClassDecorator[]): Type<unknown> {
  @Controller({ path, version: VERSION_NEUTRAL })
  @UseFilters(WebhookRefusalFilter)
  class ScalekitWebhookController {
    readonly #options: ReceiveOptions;
    readonly #dispatcher: ScalekitEventDispatcher;
    readonly #inbox: ScalekitInbox;
    readonly #responder: DeliveryResponder;

    constructor(
      @Inject(RESOLVED_OPTIONS) options: ReceiveOptions,
      @Inject(ScalekitEventDispatcher) dispatcher: ScalekitEventDispatcher,
      @Inject(ScalekitInbox) inbox: ScalekitInbox,
      @Inject(DeliveryResponder) responder: DeliveryResponder,
    ) {
      this.#options = options;
      this.#dispatcher = dispatcher;
      this.#inbox = inbox;
      this.#responder = responder;
    }

    @Post()
    @UseGuards(ScalekitSignatureGuard)
    async receive(
      @Req() request: PlatformRequest,
      // With passthrough, Nest sends a result, also that of an interceptor which does not call this method.
      @Res({ passthrough: true }) response: PlatformResponse,
    ): Promise<void> {
      try {
        const { outcome, retryAfterSeconds, end } = await this.#dispatch(capturedBody(request), response);
        await this.#responder.answer(response, outcome, { retryAfterSeconds, replay: end });
      } catch (error) {
        if (!(error instanceof ScalekitWebhooksError)) throw error;
        await this.#responder.refuse(response, error);
      }
    }

    /** @throws ScalekitWebhooksError that says why the delivery is refused */
    async #dispatch(body: CapturedBytes | undefined, response: PlatformResponse): Promise<DeliveryResult> {
      const { validation, environmentIds } = this.#options;
      if (!body?.verified) {
        throw new DeliveryRefusedError('misconfigured', MESSAGES.bodyRefused.misconfigured);
      }
      const parsed = parseEvent(body.bytes, validation);
      this.#responder.identify(response, parsed);
      requireEnvironment(parsed.event, environmentIds);
      const { replay } = body.verified;
      if (replay) {
        return this.#inbox.replayReceived(new ReceivedEvent(parsed, { rawBody: body.bytes }), replay);
      }
      const received = new ReceivedEvent(parsed, {
        deliveryId: body.verified.deliveryId,
        receivedAt: body.receivedAt,
        rawBody: body.bytes,
        headers: body.headers,
        isAwaited: true,
      });
      return this.#dispatcher.receive(received);
    }
  }
  applyDecorators(...decorators)(ScalekitWebhookController);
  return ScalekitWebhookController;
}

/** @throws DeliveryRefusedError `wrong_environment` */
function requireEnvironment(event: ScalekitEvent<'*'>, allowed: ReadonlySet<string> | undefined): void {
  if (allowed === undefined || allowed.has(event.environment_id ?? '')) return;
  throw new DeliveryRefusedError('wrong_environment', MESSAGES.wrongEnvironment);
}

/** Responds to deliveries that the guard rejects. It is bound to the controller, so it runs instead of global filters. */
@Catch(ScalekitWebhooksError)
class WebhookRefusalFilter implements ExceptionFilter<ScalekitWebhooksError> {
  readonly #responder: DeliveryResponder;

  constructor(@Inject(DeliveryResponder) responder: DeliveryResponder) {
    this.#responder = responder;
  }

  async catch(error: ScalekitWebhooksError, host: ArgumentsHost): Promise<void> {
    await this.#responder.refuse(host.switchToHttp().getResponse<PlatformResponse>(), error);
  }
}
