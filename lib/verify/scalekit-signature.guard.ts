import { type CanActivate, type ExecutionContext, Inject, Injectable } from '@nestjs/common';
import { DeliveryRefusedError } from '../errors/delivery-refused.error.js';
import { WebhookVerificationError } from '../errors/webhook-verification.error.js';
import { bodyOf } from '../receive/captured-body.js';
import { rememberDelivery } from '../receive/verified-delivery.js';
import { MESSAGES } from '../scalekit-webhooks.messages.js';
import { RESOLVED_OPTIONS, type ResolvedOptions } from '../scalekit-webhooks.options.js';
import { EndpointSecrets } from './endpoint.secrets.js';
import type { SigningSecretRequest } from './signing-secret.setting.js';
import { verifyWebhookSignature } from './verify-signature.js';
import type { WebhookVerifier } from './webhook-verifier.js';

type WebhookRequest = Pick<SigningSecretRequest, 'headers' | 'params'>;

/** Lets a request pass whose captured bytes Scalekit signed, and throws the reason for any other. */
@Injectable()
export class ScalekitSignatureGuard implements CanActivate {
  constructor(
    @Inject(RESOLVED_OPTIONS) protected readonly options: ResolvedOptions,
    @Inject(EndpointSecrets) protected readonly secrets: EndpointSecrets,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<WebhookRequest>();
    const body = bodyOf(request);
    if ('refusal' in body) throw new DeliveryRefusedError(body.refusal, MESSAGES.bodyRefused[body.refusal]);
    const { bytes, receivedAt } = body;
    const deliveryId = await this.verify(bytes, request);
    rememberDelivery(request, { bytes, receivedAt, deliveryId });
    return true;
  }

  /** Resolves to the delivery's id where the scheme has one. */
  protected async verify(payload: Buffer, { headers, params }: WebhookRequest): Promise<string | undefined> {
    const secrets = await this.secrets.for({ endpoint: this.options.name, headers, params });
    const { verifier, toleranceSeconds } = this.options;
    if (verifier) {
      await verifyBy(verifier, {
        payload,
        headers: joined(headers),
        secrets: secrets.map(({ text }) => text),
      });
      return joined(headers)['webhook-id'];
    }
    if (secrets.length === 0) {
      throw new WebhookVerificationError('signature_mismatch', MESSAGES.noSecretForRequest);
    }
    const known = secrets.map(({ secret }) => secret);
    return verifyWebhookSignature({ payload, headers, secrets: known, toleranceSeconds }).deliveryId;
  }
}

async function verifyBy(verifier: WebhookVerifier, input: Parameters<WebhookVerifier>[0]): Promise<void> {
  let verified: unknown;
  try {
    verified = await verifier(input);
  } catch {
    verified = false;
  }
  if (verified !== true) throw new WebhookVerificationError('verifier_rejected', MESSAGES.verifierRejected);
}

function joined(headers: WebhookRequest['headers']): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, [value].flat().join(', ')]],
    ),
  );
}
