import './helpers/timeout.js';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { ExpressAdapter } from '@nestjs/platform-express';
import {
  type InboxStore,
  MemoryInboxStore,
  NonRetryableEventError,
  type ScalekitWebhooksOptions,
} from 'nestjs-scalekit-webhooks';
import { holdDate } from '../helpers/clock.js';
import { deferred } from '../helpers/deferred.js';
import { aUserCreated, startScriptedApp } from '../helpers/scripted-app.js';
import { OTHER_SECRET, SECRET } from '../helpers/secrets.js';
import { describeOnEachServer, describeOnEachStore } from './helpers/each-store.js';

const FOUR_MINUTES_MS = 240_000;

const start = (options: ScalekitWebhooksOptions) => startScriptedApp(() => new ExpressAdapter(), options);

await describeOnEachStore('while a secret is rotated', (open) => {
  it('a retry with the new secret runs only what failed, in a process that already prefers it', async () => {
    const { inbox } = await open();
    const before = await start({ inbox, signingSecret: [SECRET, OTHER_SECRET] });
    const after = await start({ inbox, signingSecret: [OTHER_SECRET, SECRET] });
    const event = aUserCreated();
    before.second.mockRejectedValueOnce(new Error('broken'));

    expect((await before.scalekit.deliver(event, { secret: SECRET })).status).toBe(500);
    expect((await after.scalekit.deliver(event, { secret: OTHER_SECRET })).status).toBe(201);
    expect((await before.scalekit.deliver(event, { secret: OTHER_SECRET })).status).toBe(200);
    expect((await after.scalekit.deliver(event, { secret: SECRET })).status).toBe(200);
    expect([after.first.mock.calls.length, after.second.mock.calls.length]).toEqual([0, 1]);
  });

  it('an event that is signed with a new secret is rejected until the secret is configured', async () => {
    const { inbox } = await open();
    const secrets = [SECRET];
    const { scalekit, first } = await start({ inbox, signingSecret: () => secrets });
    const event = aUserCreated();

    expect((await scalekit.deliver(event, { secret: OTHER_SECRET })).status).toBe(401);
    expect(await inbox.count()).toBe(0);
    secrets.unshift(OTHER_SECRET);
    expect((await scalekit.deliver(event, { secret: OTHER_SECRET })).status).toBe(201);
    expect(first).toHaveBeenCalledTimes(1);
  });
});

describe.each([-FOUR_MINUTES_MS, FOUR_MINUTES_MS])('With clocks %i ms apart', (skewMs) => {
  it.each(['standard', 'scalekit'] as const)('a delivery of the %s scheme is accepted', async (scheme) => {
    const { scalekit } = await start({ signingSecret: SECRET });
    const timestamp = new Date(Date.now() + skewMs);

    expect((await scalekit.deliver(aUserCreated(), { scheme, timestamp })).status).toBe(201);
  });
});

await describeOnEachStore('a process whose clock is off by', (open) => {
  beforeEach(() => {
    holdDate();
  });

  afterEach(() => {
    jest.useRealTimers();
  });

  it.each([-FOUR_MINUTES_MS, FOUR_MINUTES_MS])(
    '%i ms handles and records events, and recognizes duplicates',
    async (skewMs) => {
      const { inbox } = await open();
      const { scalekit, first } = await start({ inbox });
      const timestamp = new Date();
      const event = aUserCreated();
      await scalekit.deliver(aUserCreated());
      jest.setSystemTime(Date.now() + skewMs);

      expect((await scalekit.deliver(event, { timestamp })).status).toBe(201);
      jest.setSystemTime(Date.now() - skewMs);
      expect((await scalekit.deliver(event, { timestamp })).status).toBe(200);
      expect(first).toHaveBeenCalledTimes(2);
    },
  );
});

await describeOnEachServer('a run in progress', (open) => {
  beforeEach(() => {
    holdDate();
  });

  afterEach(() => {
    jest.useRealTimers();
  });

  it.each([-FOUR_MINUTES_MS, FOUR_MINUTES_MS])(
    'is not taken over by a machine whose clock is %i ms off',
    async (skewMs) => {
      const { inbox } = await open();
      const [one, other] = [await start({ inbox }), await start({ inbox })];
      const [gate, started] = [deferred(), deferred()];
      one.first.mockImplementation(async () => {
        started.resolve();
        await gate.promise;
      });
      const [event, timestamp] = [aUserCreated(), new Date()];
      const response = one.scalekit.deliver(event);
      await started.promise;

      jest.setSystemTime(Date.now() + skewMs);
      const { status, headers } = await other.scalekit.deliver(event, { timestamp });
      expect(status).toBe(503);
      expect(Number(headers.get('retry-after'))).toBeLessThanOrEqual(18);
      jest.setSystemTime(Date.now() - skewMs);
      gate.resolve();

      expect((await response).status).toBe(201);
      expect(other.first).not.toHaveBeenCalled();
    },
  );
});

/** How an application responds to a series of deliveries, and how often its handlers run. */
async function respondToSeries(inbox: InboxStore) {
  const { scalekit, first, second } = await start({ inbox });
  const [plain, failing, refused] = [aUserCreated(), aUserCreated(), aUserCreated()];
  const answers = [await scalekit.deliver(plain), await scalekit.deliver(plain)];
  second.mockRejectedValueOnce(new Error('broken'));
  answers.push(await scalekit.deliver(failing), await scalekit.deliver(failing));
  first.mockRejectedValueOnce(new NonRetryableEventError('not ours'));
  answers.push(await scalekit.deliver(refused), await scalekit.deliver(refused));
  answers.push(await scalekit.withStaleTimestamp(plain));
  const calls = [first.mock.calls.length, second.mock.calls.length];
  return { plain, responses: answers.map(({ status, body }) => [status, body]), calls };
}

await describeOnEachStore('an application that began with the memory inbox', (open) => {
  it('responds in the same way, and remembers it after a restart', async () => {
    const { inbox } = await open();
    const inMemory = await respondToSeries(new MemoryInboxStore());

    const { plain, ...moved } = await respondToSeries(inbox);

    expect(moved).toEqual({ responses: inMemory.responses, calls: inMemory.calls });
    expect(moved.responses.map(([status]) => status)).toEqual([201, 200, 500, 201, 422, 200, 401]);
    const restarted = await start({ inbox });
    expect((await restarted.scalekit.deliver(plain)).status).toBe(200);
    expect(restarted.first).not.toHaveBeenCalled();
  });
});
