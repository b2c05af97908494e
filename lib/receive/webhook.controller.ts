import type { ServerResponse } from 'node:http';
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
import { ScalekitEventDispatcher } from '../dispatch/scalekit-event.dispatcher.js';
import { ScalekitWebhooksError } from '../errors/errors.js';
import type { ScalekitEvent } from '../events/scalekit-event.types.js';
import { parseEvent } from '../parse/parse-event.js';
import { ScalekitInbox } from '../replay/scalekit-inbox.js';
import {
  answerFor,
  answerForReplay,
  DeliveryRefusedError,
  outcomeOfError,
  type WebhookAnswer,
} from '../respond/outcome.js';
import { readReplayRequest } from '../verify/signature-headers.js';
import { bodyOf, type PlatformRequest } from './raw-body.js';
import { MESSAGES } from './receive.messages.js';
import type { ReceiveOptions } from './receive.options.js';
import { ScalekitSignatureGuard } from './scalekit-signature.guard.js';

/** The controller of one endpoint. Each endpoint needs its own class, because Nest stores a route's path on the class. */
export function createWebhookController(path: string, decorators: readonly ClassDecorator[]): Type<unknown> {
  @Controller({ path, version: VERSION_NEUTRAL })
  @UseFilters(WebhookRefusalFilter)
  class ScalekitWebhookController {
    constructor(
      @Inject(RESOLVED_OPTIONS) private readonly options: ReceiveOptions,
      @Inject(ScalekitEventDispatcher) private readonly dispatcher: ScalekitEventDispatcher,
      @Inject(ScalekitInbox) private readonly inbox: ScalekitInbox,
    ) {}

    @Post()
    @UseGuards(ScalekitSignatureGuard)
    async receive(@Req() request: PlatformRequest, @Res() response: PlatformResponse): Promise<void> {
      const { validation, environmentIds, statusCodes } = this.options;
      const body = bodyOf(request);
      if ('refusal' in body || !body.verified) {
        throw new DeliveryRefusedError('misconfigured', MESSAGES.bodyRefused.misconfigured);
      }
      const parsed = parseEvent(body.bytes, validation);
      requireEnvironment(parsed.event, environmentIds);
      const replay = readReplayRequest(body.verified.deliveryId);
      if (replay) {
        const again = new ReceivedEvent(parsed, { rawBody: body.bytes });
        const { end, outcome, retryAfterSeconds } = await this.inbox.replayReceived(again, replay);
        respond(response, answerForReplay(answerFor(outcome, statusCodes, retryAfterSeconds), end));
        return;
      }
      const received = new ReceivedEvent(parsed, {
        deliveryId: body.verified.deliveryId,
        receivedAt: body.receivedAt,
        rawBody: body.bytes,
        headers: request.headers,
        isAwaited: true,
      });
      const { outcome, retryAfterSeconds } = await this.dispatcher.handle(received);
      respond(response, answerFor(outcome, statusCodes, retryAfterSeconds));
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

/** Responds to deliveries that are rejected. It is bound to the controller, so it runs instead of global filters. */
@Catch(ScalekitWebhooksError)
class WebhookRefusalFilter implements ExceptionFilter<ScalekitWebhooksError> {
  constructor(
    @Inject(RESOLVED_OPTIONS) private readonly options: ReceiveOptions,
    @Inject(DeliveryLog) private readonly log: DeliveryLog,
  ) {}

  catch(error: ScalekitWebhooksError, host: ArgumentsHost): void {
    const outcome = outcomeOfError(error);
    this.log.refusal(outcome, error);
    const response = host.switchToHttp().getResponse<PlatformResponse>();
    respond(response, answerFor(outcome, this.options.statusCodes));
  }
}

/** The part of Fastify's reply that this module uses. */
interface FastifyReply {
  code(status: number): FastifyReply;
  header(name: string, value: string): FastifyReply;
  send(body: object): unknown;
}

/** The response object of a platform. Express's extends Node's. */
type PlatformResponse = ServerResponse | FastifyReply;

// Set explicitly, because the application may have set another type for all responses.
const JSON_TYPE = 'application/json; charset=utf-8';

/** Sends the response itself, so that the application's interceptors and filters cannot change what Scalekit sees. */
function respond(response: PlatformResponse, answer: WebhookAnswer): void {
  const { status, body, retryAfterSeconds } = answer;
  if (isFastifyReply(response)) {
    if (retryAfterSeconds !== undefined) response.header('Retry-After', String(retryAfterSeconds));
    response.code(status).header('Content-Type', JSON_TYPE).send(body);
    return;
  }
  if (retryAfterSeconds !== undefined) response.setHeader('Retry-After', retryAfterSeconds);
  response.statusCode = status;
  response.setHeader('Content-Type', JSON_TYPE);
  response.end(JSON.stringify(body));
}

function isFastifyReply(response: PlatformResponse): response is FastifyReply {
  return 'code' in response && typeof response.code === 'function';
}
