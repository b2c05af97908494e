import { describe, expect, it } from '@jest/globals';
import {
  InvalidEventError,
  ScalekitWebhooksConfigurationError,
  type ScalekitWebhooksError,
  WebhookVerificationError,
} from 'nestjs-scalekit-webhooks';
import { DeliveryRefusedError, outcomeOfError } from '../../../lib/respond/outcome.js';

const ERRORS: readonly (readonly [string, ScalekitWebhooksError])[] = [
  ['unauthenticated', new WebhookVerificationError('signature_mismatch', 'no match')],
  ['invalid_event', new InvalidEventError('not_json', 'not JSON')],
  ['body_too_large', new DeliveryRefusedError('body_too_large', 'too large')],
  ['misconfigured', new ScalekitWebhooksConfigurationError('signingSecret', 'no secret')],
];

describe('outcomeOfError', () => {
  it.each(ERRORS)('is %s for the matching error', (outcome, error) => {
    expect(outcomeOfError(error)).toBe(outcome);
  });
});
