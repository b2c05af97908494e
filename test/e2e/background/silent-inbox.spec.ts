import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { InboxTransport, MemoryInboxStore } from 'nestjs-scalekit-webhooks';
import { createScalekitEvent } from 'nestjs-scalekit-webhooks/testing';
import { holdClock } from '../../helpers/clock.js';
import { deferred } from '../../helpers/deferred.js';
import { ADAPTERS } from '../../helpers/test-app.js';
import { runsOf, startHandlers } from './background-app.js';

const ANSWER_TIMEOUT_MS = 5000;
const POLL_MS = 1000;

describe.each(ADAPTERS)('a worker whose inbox does not respond in time, on %s', (_name, adapter) => {
  let inbox: MemoryInboxStore;

  beforeEach(() => {
    holdClock();
    inbox = new MemoryInboxStore();
  });

  it('says so, and gives back the runs that it gets in the end', async () => {
    const takeDue = inbox.takeDue.bind(inbox);
    const [answered, gate] = [deferred<void>(), deferred<void>()];
    jest.spyOn(inbox, 'takeDue').mockImplementationOnce(async (request) => {
      await answered.promise;
      const due = await takeDue(request);
      await gate.promise;
      return due;
    });
    const { scalekit, handlers, logger } = await startHandlers(
      { inbox, transport: new InboxTransport() },
      adapter,
    );
    const event = createScalekitEvent('user.created');
    expect((await scalekit.deliver(event)).status).toBe(202);
    answered.resolve();

    await jest.advanceTimersByTimeAsync(ANSWER_TIMEOUT_MS);
    expect(logger.ours('error')).toEqual([expect.stringMatching(/cannot take runs.*did not answer in time/)]);
    expect(await runsOf(inbox, event.id)).toMatchObject({ 'Handlers.first': { state: 'running' } });
    gate.resolve();
    await jest.advanceTimersByTimeAsync(POLL_MS);

    expect(await runsOf(inbox, event.id)).toMatchObject({
      'Handlers.first': { state: 'done', attempts: 1 },
      'Handlers.second': { state: 'done', attempts: 1 },
    });
    expect(handlers.runs).toHaveLength(2);
  });

  it('works on although it cannot find out which runs have no handler', async () => {
    jest.spyOn(inbox, 'stranded').mockRejectedValue(new Error('connection refused'));
    const { scalekit, logger } = await startHandlers({ inbox, transport: new InboxTransport() }, adapter);
    const event = createScalekitEvent('user.created');

    await scalekit.deliver(event);
    await jest.advanceTimersByTimeAsync(POLL_MS);

    expect(await runsOf(inbox, event.id)).toMatchObject({ 'Handlers.first': { state: 'done' } });
    expect(logger.ours('error')).toEqual([expect.stringContaining('connection refused')]);
  });
});
