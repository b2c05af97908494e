import { describe, expect, it } from '@jest/globals';
import type { Outcome } from 'nestjs-scalekit-webhooks';
import { answerFor, DEFAULT_STATUS_CODES } from '../../../lib/respond/outcome.js';

const ACKNOWLEDGED: readonly (readonly [Outcome, number])[] = [
  ['processed', 201],
  ['accepted', 202],
  ['duplicate', 200],
  ['dead', 200],
  ['ignored', 200],
];

const REFUSED: readonly (readonly [Outcome, number])[] = [
  ['invalid_event', 400],
  ['unauthenticated', 401],
  ['wrong_environment', 403],
  ['body_too_large', 413],
  ['unsupported_media_type', 415],
  ['unprocessable', 422],
  ['failed', 500],
  ['misconfigured', 500],
];

describe('answerFor', () => {
  it.each(ACKNOWLEDGED)('acknowledges %s with %i and names the outcome', (outcome, status) => {
    expect(answerFor(outcome)).toEqual({ status, body: { received: true, status: outcome } });
  });

  it.each(REFUSED)('answers %s with %i and no details', (outcome, status) => {
    expect(answerFor(outcome)).toEqual({ status, body: { received: false } });
  });

  it('answers unavailable with 503 and asks for a retry in 5 s', () => {
    expect(answerFor('unavailable')).toEqual({
      status: 503,
      body: { received: false },
      retryAfterSeconds: 5,
    });
  });

  it('asks for a retry after the given time', () => {
    expect(answerFor('unavailable', DEFAULT_STATUS_CODES, 18)).toMatchObject({ retryAfterSeconds: 18 });
  });

  it('uses the given status codes', () => {
    expect(answerFor('processed', { ...DEFAULT_STATUS_CODES, processed: 204 })).toMatchObject({
      status: 204,
    });
  });

  it('has a status code for every outcome', () => {
    const outcomes = [...ACKNOWLEDGED, ...REFUSED].map(([outcome]) => outcome);

    expect(Object.keys(DEFAULT_STATUS_CODES).sort()).toEqual([...outcomes, 'unavailable'].sort());
  });
});
