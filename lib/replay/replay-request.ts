import { randomUUID } from 'node:crypto';
import type { WebhookAnswer } from '../respond/outcome.js';

const PREFIX = 'scalekit-webhooks-replay';

/** What a delivery that asks for a replay asks for. */
export interface ReplayRequest {
  /** The handlers to run, even if they are done. By default, every handler that is not done. */
  readonly handlers?: readonly string[];
}

/**
 * The `webhook-id` of a delivery that asks the endpoint to replay its event. The id is part of what is signed, so only
 * someone with the signing secret can ask.
 */
export function replayRequestId({ handlers }: ReplayRequest): string {
  const request = Buffer.from(JSON.stringify({ handlers })).toString('base64url');
  return [PREFIX, randomUUID(), request].join(':');
}

/** Whether a `webhook-id` asks for a replay. */
export function isReplayRequestId(deliveryId: string | undefined): boolean {
  return deliveryId?.startsWith(`${PREFIX}:`) ?? false;
}

/** Reads a `webhook-id` whose signature was verified. Undefined if it does not ask for a replay. */
export function readReplayRequest(deliveryId: string | undefined): ReplayRequest | undefined {
  if (deliveryId === undefined || !isReplayRequestId(deliveryId)) return undefined;
  const [, , request = ''] = deliveryId.split(':');
  const { handlers }: { handlers?: unknown } = JSON.parse(Buffer.from(request, 'base64url').toString());
  return Array.isArray(handlers) ? { handlers: handlers.map(String) } : {};
}

/** Why a replay was not possible, for the one who asked: they have the signing secret. */
export function answerForReplay(answer: WebhookAnswer, replay: string): WebhookAnswer {
  return { ...answer, body: { ...answer.body, replay } };
}
