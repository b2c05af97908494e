import { type CanActivate, type ExecutionContext, Inject, Injectable } from '@nestjs/common';
import { RESOLVED_OPTIONS } from '../dispatch/dispatch.options.js';
import { WebhookVerificationError } from '../errors/errors.js';
import { DeliveryRefusedError } from '../respond/outcome.js';
import { verifyWebhookSignature } from '../verify/verify-signature.js';
import { bodyOf } from './captured-body.js';
import { type EndpointSecret, EndpointSecrets } from './endpoint.secrets.js';
import { MESSAGES } from './receive.messages.js';
import type { ReceiveOptions, SigningSecretRequest, WebhookVerifier } from './receive.options.js';

type WebhookRequest = Pick<SigningSecretRequest, 'headers' | 'params'>;
/** The delivery's id, where the scheme has one. */
type VerifiedId = string | undefined;

/** Lets a request pass whose captured bytes Scalekit signed, and throws the reason for any other. */
@Injectable()
export class ScalekitSignatureGuard implements CanActivate {
  constructor(
    @Inject(RESOLVED_OPTIONS) private readonly options: ReceiveOptions,
    @Inject(EndpointSecrets) private readonly secrets: EndpointSecrets,
  ) {}

  /** Answers at once where it can, since Nest takes several turns more for a guard that does not. */
  canActivate(context: ExecutionContext): boolean | Promise<boolean> {
    const request = context.switchToHttp().getRequest<WebhookRequest>();
    const body = bodyOf(request);
    if ('refusal' in body) throw new DeliveryRefusedError(body.refusal, MESSAGES.bodyRefused[body.refusal]);
    const pass = (deliveryId: string | undefined) => {
      body.markVerified({ deliveryId });
      return true;
    };
    const verified = this.#verify(body.bytes, request);
    return verified instanceof Promise ? verified.then(pass) : pass(verified);
  }

  #verify(payload: Buffer, { headers, params }: WebhookRequest): VerifiedId | Promise<VerifiedId> {
    const secrets = this.secrets.for({ endpoint: this.options.name, headers, params });
    return secrets instanceof Promise
      ? secrets.then((resolved) => this.#verifyWith(resolved, payload, headers))
      : this.#verifyWith(secrets, payload, headers);
  }

  #verifyWith(
    secrets: readonly EndpointSecret[],
    payload: Buffer,
    headers: WebhookRequest['headers'],
  ): VerifiedId | Promise<VerifiedId> {
    const { verifier, toleranceSeconds } = this.options;
    if (verifier) {
      return verifyBy(verifier, {
        payload,
        headers: joined(headers),
        secrets: secrets.map(({ text }) => text),
      });
    }
    if (secrets.length === 0) {
      throw new WebhookVerificationError('signature_mismatch', MESSAGES.noSecretForRequest);
    }
    const known = secrets.map(({ secret }) => secret);
    return verifyWebhookSignature({ payload, headers, secrets: known, toleranceSeconds }).deliveryId;
  }
}

async function verifyBy(
  verifier: WebhookVerifier,
  input: Parameters<WebhookVerifier>[0],
): Promise<VerifiedId> {
  let verified: unknown;
  try {
    verified = await verifier(input);
  } catch {
    verified = false;
  }
  if (verified !== true) throw new WebhookVerificationError('verifier_rejected', MESSAGES.verifierRejected);
  return input.headers['webhook-id'];
}

function joined(headers: WebhookRequest['headers']): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, [value].flat().join(', ')]],
    ),
  );
}
