import { randomUUID } from 'node:crypto';
import { jest } from '@jest/globals';
import { HttpException, UnprocessableEntityException } from '@nestjs/common';
import {
  type EventTransport,
  NonRetryableEventError,
  type RunSettlement,
  type ScalekitWebhooksOptions,
} from 'nestjs-scalekit-webhooks';
import { createScalekitEvent, type TestDeliveryAnswer } from 'nestjs-scalekit-webhooks/testing';
import { deferred } from '../../helpers/deferred.js';
import { aUserCreated, type ScriptedApp } from '../../helpers/scripted-app.js';

/** Text in the errors of handlers, inboxes and transports that must never reach the sender. */
export const INTERNAL = 'internal-detail';

/** One way to an outcome: what happens, and the expected response. */
export interface Scenario {
  readonly outcome: string;
  readonly when: string;
  readonly status: number;
  readonly retryAfter?: string;
  options?(): ScalekitWebhooksOptions;
  play(app: ScriptedApp): Promise<TestDeliveryAnswer>;
}

const ACKNOWLEDGED = ['processed', 'accepted', 'duplicate', 'dead', 'ignored'];

/** The complete body expected for an outcome. */
export function bodyOf({ outcome }: Scenario): object {
  return ACKNOWLEDGED.includes(outcome) ? { received: true, status: outcome } : { received: false };
}

const fail = async () => {
  throw new Error(INTERNAL);
};

const QUEUE: EventTransport = {
  start: ({ runs }) =>
    runs.map(async ({ handlerId }): Promise<RunSettlement> => ({ handlerId, state: 'queued' })),
};

const BROKEN_QUEUE: EventTransport = { start: ({ runs }) => runs.map(fail) };

function whenFirstThrows(outcome: string, status: number, when: string, thrown: unknown): Scenario {
  return {
    outcome,
    status,
    when,
    play({ scalekit, first }) {
      first.mockRejectedValue(thrown);
      return scalekit.deliver(aUserCreated());
    },
  };
}

function whenBodyIs(when: string, body: string | object): Scenario {
  return { outcome: 'invalid_event', status: 400, when, play: ({ scalekit }) => scalekit.deliver(body) };
}

const HANDLED: readonly Scenario[] = [
  {
    outcome: 'processed',
    status: 201,
    when: 'all handlers are done',
    play: ({ scalekit }) => scalekit.deliver(aUserCreated()),
  },
  {
    outcome: 'accepted',
    status: 202,
    when: 'the runs are stored in a queue',
    options: () => ({ transport: QUEUE }),
    play: ({ scalekit }) => scalekit.deliver(aUserCreated()),
  },
  {
    outcome: 'duplicate',
    status: 200,
    when: 'all handlers were done before',
    play: async ({ scalekit }) => (await scalekit.deliverTwice(aUserCreated()))[1],
  },
  {
    outcome: 'dead',
    status: 200,
    when: 'all handlers are dead or done, and at least one is dead',
    async play({ scalekit, first }) {
      first.mockRejectedValue(new NonRetryableEventError(INTERNAL));
      return (await scalekit.deliverTwice(aUserCreated()))[1];
    },
  },
  {
    outcome: 'ignored',
    status: 200,
    when: 'no handler matches the type',
    play: ({ scalekit }) => scalekit.deliver(createScalekitEvent('role.created')),
  },
  {
    outcome: 'ignored',
    status: 200,
    when: 'this version does not know the type',
    play: ({ scalekit }) => scalekit.deliver({ ...aUserCreated(), type: 'vault.sealed' }),
  },
  whenFirstThrows(
    'unprocessable',
    422,
    'a handler throws a NonRetryableEventError',
    new NonRetryableEventError(INTERNAL),
  ),
  whenFirstThrows(
    'unprocessable',
    422,
    "a handler throws Nest's UnprocessableEntityException",
    new UnprocessableEntityException(INTERNAL),
  ),
  ...[400, 403, 404, 409, 429].map((status) =>
    whenFirstThrows(
      'failed',
      500,
      `a handler throws an HttpException with ${status}`,
      new HttpException(INTERNAL, status),
    ),
  ),
  whenFirstThrows('failed', 500, 'a handler throws an error', new Error(INTERNAL)),
  whenFirstThrows('failed', 500, 'a handler throws a value that is not an error', INTERNAL),
  {
    outcome: 'failed',
    status: 500,
    when: 'one handler throws an error and another a NonRetryableEventError',
    play({ scalekit, first, second }) {
      first.mockRejectedValue(new NonRetryableEventError(INTERNAL));
      second.mockRejectedValue(new Error(INTERNAL));
      return scalekit.deliver(aUserCreated());
    },
  },
];

const REFUSED: readonly Scenario[] = [
  whenBodyIs('the body is not JSON', '{"id":'),
  whenBodyIs('the body is empty', ''),
  whenBodyIs('the body is JSON, but not an event', { hello: 'world' }),
  whenBodyIs('the body is JSON, but not an object', '[]'),
  whenBodyIs('the data of the event is invalid', {
    ...aUserCreated(),
    data: { user: { id: 'usr_1', email: 7 } },
  }),
  {
    outcome: 'unauthenticated',
    status: 401,
    when: 'the signature headers are missing',
    play: ({ scalekit }) => scalekit.withoutSignature(aUserCreated()),
  },
  {
    outcome: 'unauthenticated',
    status: 401,
    when: 'a signature header is malformed',
    play: ({ scalekit }) =>
      scalekit.deliver(aUserCreated(), { headers: { 'webhook-signature': 'v1,nonsense' } }),
  },
  {
    outcome: 'unauthenticated',
    status: 401,
    when: 'no signature matches',
    play: ({ scalekit }) => scalekit.withForgedSignature(aUserCreated()),
  },
  {
    outcome: 'unauthenticated',
    status: 401,
    when: 'the timestamp is outside the tolerance',
    play: ({ scalekit }) => scalekit.withStaleTimestamp(aUserCreated()),
  },
  {
    outcome: 'unauthenticated',
    status: 401,
    when: 'the signature is missing and the body is not JSON',
    play: ({ scalekit }) => scalekit.withoutSignature('{"id":'),
  },
  {
    outcome: 'wrong_environment',
    status: 403,
    when: 'the event belongs to another environment',
    options: () => ({ environmentId: 'env_other' }),
    play: ({ scalekit }) => scalekit.deliver(aUserCreated()),
  },
  {
    outcome: 'body_too_large',
    status: 413,
    when: 'the body is over the limit',
    options: () => ({ maxBodyBytes: 100 }),
    play: ({ scalekit }) => scalekit.deliver(aUserCreated()),
  },
  {
    outcome: 'unsupported_media_type',
    status: 415,
    when: 'the content type is not JSON',
    play: ({ scalekit }) => scalekit.deliver(aUserCreated(), { headers: { 'content-type': 'text/plain' } }),
  },
];

/** Delivers an event, and advances the clock while something hangs until the response has arrived. */
async function whileHanging(
  ms: number,
  { scalekit }: ScriptedApp,
  hangAt: (hang: () => Promise<never>) => void,
): Promise<TestDeliveryAnswer> {
  const [reached, gate] = [deferred(), deferred<never>()];
  hangAt(() => {
    reached.resolve();
    return gate.promise;
  });
  const answering = scalekit.deliver(aUserCreated());
  await reached.promise;
  await jest.advanceTimersByTimeAsync(ms);
  const answer = await answering;
  gate.reject(new Error(INTERNAL));
  return answer;
}

/** The answer to a delivery whose inbox refuses again and again, until its time is over. */
async function whileRefusing(
  { scalekit }: ScriptedApp,
  refuseAt: (refuse: () => Promise<never>) => void,
): Promise<TestDeliveryAnswer> {
  const reached = deferred();
  refuseAt(async () => {
    reached.resolve();
    throw new Error(INTERNAL);
  });
  const answering = scalekit.deliver(aUserCreated());
  await reached.promise;
  await jest.advanceTimersByTimeAsync(18_000);
  return answering;
}

const UNAVAILABLE: readonly Scenario[] = [
  {
    outcome: 'unavailable',
    status: 503,
    retryAfter: '5',
    when: 'the inbox cannot be reached to claim',
    play: (app) => whileRefusing(app, (refuse) => jest.spyOn(app.inbox, 'claim').mockImplementation(refuse)),
  },
  {
    outcome: 'unavailable',
    status: 503,
    retryAfter: '5',
    when: 'the inbox cannot be reached to settle',
    play: (app) => whileRefusing(app, (refuse) => jest.spyOn(app.inbox, 'settle').mockImplementation(refuse)),
  },
  {
    outcome: 'unavailable',
    status: 503,
    retryAfter: '5',
    when: 'the inbox is too slow',
    play: (app) => whileHanging(9500, app, (hang) => jest.spyOn(app.inbox, 'claim').mockImplementation(hang)),
  },
  {
    outcome: 'unavailable',
    status: 503,
    retryAfter: '5',
    when: 'the queue cannot be reached',
    options: () => ({ transport: BROKEN_QUEUE }),
    play: ({ scalekit }) => scalekit.deliver(aUserCreated()),
  },
  {
    outcome: 'unavailable',
    status: 503,
    retryAfter: '17',
    when: 'a handler is still running elsewhere',
    async play({ scalekit, inbox }) {
      const event = aUserCreated();
      await inbox.claim(
        {
          endpoint: 'default',
          eventId: event.id,
          type: event.type,
          occurredAt: event.occurred_at,
          payload: Buffer.of(),
        },
        ['First.handle'],
        { token: randomUUID(), durationMs: 16_001 },
      );
      return scalekit.deliver(event);
    },
  },
  {
    outcome: 'unavailable',
    status: 503,
    retryAfter: '5',
    when: 'the deadline passes',
    play: (app) => whileHanging(9000, app, (hang) => app.first.mockImplementation(hang)),
  },
];

export const SCENARIOS: readonly Scenario[] = [...HANDLED, ...REFUSED, ...UNAVAILABLE];
