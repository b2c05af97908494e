import { type CanActivate, type ExecutionContext, Inject, Injectable } from '@nestjs/common';
import { RESOLVED_OPTIONS } from '../dispatch/dispatch.providers.js';
import { TIMED_OUT, waitAtMost } from '../dispatch/timeout.js';
import { WebhookVerificationError } from '../errors/errors.js';
import { DeliveryRefusedError } from '../respond/outcome.js';
import { isReplayRequestId, readReplayRequest } from '../verify/signature-headers.js';
import { verifySignature } from '../verify/verify-signature.js';
import { DeliveryResponder, type PlatformResponse } from './delivery.responder.js';
import { EndpointSecrets, RESOLVER_TIMEOUT_MS } from './endpoint.secrets.js';
import {
  type CapturedBytes,
  capturedBody,
  DeliveryReader,
  ownValue,
  type PlatformRequest,
  streamOf,
  type VerifiedDelivery,
} from './raw-body.js';
import { MESSAGES } from './receive.messages.js';
import type {
  ReceiveOptions,
  SigningSecretRequest,
  WebhookVerifier,
  WebhookVerifierInput,
} from './receive.options.js';

/** Verifies the deliveries to one endpoint. */
@Injectable()
export class DeliveryVerifier {
  readonly #options: ReceiveOptions;
  readonly #secrets: EndpointSecrets;
  /**
   * The requests for a replay, by their ids, and the time until which the tolerance would let them through
   * again.
   */
  readonly #replays = new Map<string, number>();

  constructor(
    @Inject(RESOLVED_OPTIONS) options: ReceiveOptions,
    @Inject(EndpointSecrets) secrets: EndpointSecrets,
  ) {
    this.#options = options;
    this.#secrets = secrets;
  }

  /**
   * @param params the path parameters of the request
   * @throws WebhookVerificationError if Scalekit did not sign the body, or a request for a replay is repeated
   * @throws DeliveryRefusedError if a function of the application fails or takes too long
   */
  async verify(
    { bytes: payload, headers }: CapturedBytes,
    params: SigningSecretRequest['params'],
  ): Promise<VerifiedDelivery> {
    const { name, verifier, toleranceSeconds } = this.#options;
    const found = await this.#secrets.for({ endpoint: name, headers, params });
    if (verifier) {
      const secrets = found.map(({ text }) => text);
      const verified = await verifyWith(verifier, { payload, headers: singleValued(headers), secrets });
      // A verifier may not check the id, and an id that asks for a replay must be authentic.
      if (!isReplayRequestId(verified.deliveryId)) return verified;
    }
    if (found.length === 0) {
      const message = verifier ? MESSAGES.replayWithVerifier : MESSAGES.noSecretForRequest;
      throw new WebhookVerificationError('signature_mismatch', message);
    }
    const secrets = found.map(({ secret }) => secret);
    const now = Date.now();
    const verified = verifySignature({ payload, headers, secrets, toleranceSeconds, now });
    const deliveryId = ownValue(verified, 'deliveryId');
    const replay = readReplayRequest(deliveryId);
    if (deliveryId !== undefined && replay) this.#requireFirst(deliveryId, now);
    return { deliveryId, replay };
  }

  /** Someone who recorded a request for a replay must not be able to use it to run the handlers again. */
  #requireFirst(id: string, now: number): void {
    for (const [earlier, until] of this.#replays) if (until < now) this.#replays.delete(earlier);
    if (this.#replays.has(id)) {
      throw new WebhookVerificationError('replay_repeated', MESSAGES.replayRepeated);
    }
    // The timestamp may be in the future by as much as it may be in the past.
    this.#replays.set(id, now + 2 * this.#options.toleranceSeconds * 1000);
  }
}

async function verifyWith(verifier: WebhookVerifier, input: WebhookVerifierInput): Promise<VerifiedDelivery> {
  let verified: unknown;
  try {
    verified = await waitAtMost(Promise.resolve(verifier(input)), RESOLVER_TIMEOUT_MS);
  } catch {
    verified = false;
  }
  if (verified === TIMED_OUT) {
    throw new DeliveryRefusedError('unavailable', MESSAGES.tooSlow('verifier', RESOLVER_TIMEOUT_MS));
  }
  const deliveryId = input.headers['webhook-id'];
  if (verified !== true) {
    const message = isReplayRequestId(deliveryId) ? MESSAGES.replayWithVerifier : MESSAGES.verifierRejected;
    throw new WebhookVerificationError('verifier_rejected', message);
  }
  return { deliveryId, replay: undefined };
}

function singleValued(headers: CapturedBytes['headers']): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, [value].flat().join(', ')]],
    ),
  );
}

type WebhookRequest = PlatformRequest & Pick<SigningSecretRequest, 'params'>;

/** Lets a request pass if Scalekit signed its body. Throws the reason otherwise. */
@Injectable()
export class ScalekitSignatureGuard implements CanActivate {
  readonly #reader: DeliveryReader;
  readonly #verifier: DeliveryVerifier;
  readonly #responder: DeliveryResponder;

  constructor(
    @Inject(DeliveryReader) reader: DeliveryReader,
    @Inject(DeliveryVerifier) verifier: DeliveryVerifier,
    @Inject(DeliveryResponder) responder: DeliveryResponder,
  ) {
    this.#reader = reader;
    this.#verifier = verifier;
    this.#responder = responder;
  }

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const http = context.switchToHttp();
    const request = http.getRequest<WebhookRequest>();
    const body = capturedBody(request) ?? (await this.#reader.captureLate(request, streamOf(request)));
    body.arrive();
    body.verified = await this.#verifier.verify(body, request.params);
    this.#responder.reserve(http.getResponse<PlatformResponse>());
    return true;
  }
}
