import { describe, expect, it, jest } from '@jest/globals';
import {
  ConflictException,
  Injectable,
  NotFoundException,
  UnprocessableEntityException,
  UseGuards,
} from '@nestjs/common';
import {
  NonRetryableEventError,
  OnScalekitEvent,
  type ScalekitEvent,
  ScalekitInbox,
  ScalekitWebhooksModule,
} from 'nestjs-scalekit-webhooks';
import { createScalekitEvent, ScalekitWebhookTester } from 'nestjs-scalekit-webhooks/testing';
import { run } from '../../helpers/running-app.js';
import { aUserCreated, startScriptedApp } from '../../helpers/scripted-app.js';
import { ADAPTERS, SECRET } from '../../helpers/test-app.js';

/** Throws what services throw when the event that explains this one has not arrived yet. */
@Injectable()
class Users {
  readonly #ids = new Set<string>();

  @OnScalekitEvent('user.created')
  create({ data }: ScalekitEvent<'user.created'>) {
    this.#ids.add(data.user?.id ?? '');
  }

  @OnScalekitEvent('user.updated')
  update({ data }: ScalekitEvent<'user.updated'>) {
    if (!this.#ids.has(data.user?.id ?? '')) throw new NotFoundException('no such user');
  }
}

const mayRun = jest.fn<() => boolean>();

class Guarded {
  @UseGuards({ canActivate: () => mayRun() })
  @OnScalekitEvent('user.created')
  create() {}
}

describe.each(ADAPTERS)('a handler that fails, on %s,', (_name, adapter) => {
  async function start(handlers: new () => object) {
    const app = await run(adapter, {
      imports: [ScalekitWebhooksModule.forRoot({ signingSecret: SECRET })],
      providers: [handlers],
    });
    return { scalekit: new ScalekitWebhookTester(app), inbox: app.get(ScalekitInbox, { strict: false }) };
  }

  it('runs again when the event that it needed has arrived', async () => {
    const { scalekit, inbox } = await start(Users);
    const created = createScalekitEvent('user.created', {}, { seed: 1 });
    const updated = createScalekitEvent('user.updated', {}, { seed: 1 });

    const early = await scalekit.deliver(updated);
    await scalekit.deliver(created);
    const retry = await scalekit.deliver(updated);

    expect([early.status, retry.status]).toEqual([500, 201]);
    expect((await inbox.get(updated.id))?.runs).toMatchObject([{ state: 'done', attempts: 2 }]);
  });

  it('runs again when its guard rejected the first attempt', async () => {
    const { scalekit } = await start(Guarded);
    mayRun.mockReturnValueOnce(false).mockReturnValue(true);

    const answers = await scalekit.deliverTwice(aUserCreated());

    expect(answers.map(({ status }) => status)).toEqual([500, 201]);
  });

  it.each([
    ['NotFoundException', new NotFoundException()],
    ['ConflictException', new ConflictException()],
  ])('runs again after a %s', async (_error, error) => {
    const { scalekit, first } = await startScriptedApp(adapter);
    first.mockRejectedValueOnce(error);

    const answers = await scalekit.deliverTwice(aUserCreated());

    expect(answers.map(({ status }) => status)).toEqual([500, 201]);
  });

  it.each([
    ['NonRetryableEventError', new NonRetryableEventError('no tenant')],
    ['UnprocessableEntityException', new UnprocessableEntityException('no tenant')],
  ])('is dead after a %s, and the next delivery says so', async (_error, error) => {
    const { scalekit, first, second, logger } = await startScriptedApp(adapter);
    first.mockRejectedValue(error);
    const event = aUserCreated();

    const refused = await scalekit.deliver(event);
    const again = await scalekit.deliver(event);

    expect(refused.status).toBe(422);
    expect([again.status, again.body]).toEqual([200, { received: true, status: 'dead' }]);
    expect([first.mock.calls.length, second.mock.calls.length]).toEqual([1, 1]);
    expect(logger.ours('error').at(-1)).toBe(
      `${event.id} (user.created): dead. First.handle failed for good and will not run again. Fix the cause, then replay the event.`,
    );
  });

  it('is retried or dead as the retryable option decides', async () => {
    const { scalekit, first } = await startScriptedApp(adapter, {
      retryable: (error) => !(error instanceof RangeError),
    });
    first.mockRejectedValueOnce(new NonRetryableEventError('retried all the same'));
    first.mockRejectedValueOnce(new RangeError('never retried'));
    const event = aUserCreated();

    const statuses = [];
    for (let delivery = 1; delivery <= 3; delivery += 1)
      statuses.push((await scalekit.deliver(event)).status);

    expect(statuses).toEqual([500, 422, 200]);
  });

  it('is retried if the retryable option throws', async () => {
    const { scalekit, first } = await startScriptedApp(adapter, {
      retryable: () => {
        throw new Error('broken predicate');
      },
    });
    first.mockRejectedValueOnce(new NonRetryableEventError('no tenant'));

    const answers = await scalekit.deliverTwice(aUserCreated());

    expect(answers.map(({ status }) => status)).toEqual([500, 201]);
  });
});
