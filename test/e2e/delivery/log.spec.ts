import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { MemoryInboxStore, NonRetryableEventError } from 'nestjs-scalekit-webhooks';
import { createScalekitEvent } from 'nestjs-scalekit-webhooks/testing';
import { holdClock } from '../../helpers/clock.js';
import { deferred } from '../../helpers/deferred.js';
import { aUserCreated, startScriptedApp } from '../../helpers/scripted-app.js';
import { ADAPTERS, SECRET } from '../../helpers/test-app.js';
import { SCENARIOS } from './outcome.scenarios.js';

// When a delivery gives up waiting for the inbox.
const DEADLINE_MS = 9500;
const INTERVAL_MS = 10_000;

describe.each(ADAPTERS)('the log, on %s', (_name, adapter) => {
  beforeEach(() => {
    holdClock();
  });

  it('has the event id, the handler and the error of a failure that will be retried, as a warning', async () => {
    const { scalekit, first, logger } = await startScriptedApp(adapter);
    first.mockRejectedValue(new TypeError('tenant is undefined'));
    const event = aUserCreated();

    await scalekit.deliver(event);

    expect(logger.ours('error')).toEqual([]);
    expect(logger.ours('warn')).toEqual([
      `First.handle failed for ${event.id} (user.created): TypeError: tenant is undefined`,
      `${event.id} (user.created): failed`,
    ]);
  });

  it('has a run that is dead as an error, and so each further delivery of its event', async () => {
    const { scalekit, first, logger } = await startScriptedApp(adapter);
    first.mockRejectedValue(new NonRetryableEventError('no tenant'));
    const event = aUserCreated();

    await scalekit.deliverTwice(event);

    expect(logger.ours('error')).toEqual([
      `First.handle failed for ${event.id} (user.created) and will not run again until you replay the event: NonRetryableEventError: no tenant`,
      `${event.id} (user.created): dead. First.handle failed for good and will not run again. Fix the cause, then replay the event.`,
    ]);
    expect(logger.ours('warn')).toEqual([`${event.id} (user.created): unprocessable`]);
  });

  it('reports a success only at debug level', async () => {
    const { scalekit, logger } = await startScriptedApp(adapter);
    const event = aUserCreated();

    await scalekit.deliver(event);

    expect(logger.ours('debug')).toEqual([`${event.id} (user.created): processed`]);
    expect([...logger.ours('warn'), ...logger.ours('error')]).toEqual([]);
  });

  it('reports an event once, however many deliveries shared its run', async () => {
    const { scalekit, dispatcher, first, logger } = await startScriptedApp(adapter);
    const [gate, bothThere] = [deferred(), deferred()];
    first.mockImplementation(() => gate.promise);
    const handle = dispatcher.handle.bind(dispatcher);
    const spy = jest.spyOn(dispatcher, 'handle').mockImplementation((received) => {
      if (spy.mock.calls.length === 2) bothThere.resolve();
      return handle(received);
    });

    const answering = scalekit.deliverConcurrently(aUserCreated(), 2);
    await bothThere.promise;
    gate.reject(new Error('broken'));
    await answering;

    expect(logger.ours('warn')).toEqual([
      expect.stringContaining('First.handle failed'),
      expect.stringMatching(/: failed$/),
    ]);
    expect(logger.ours('error')).toEqual([]);
  });

  it('says why a signature was rejected', async () => {
    const { scalekit, logger } = await startScriptedApp(adapter);

    await scalekit.withForgedSignature(aUserCreated());

    expect(logger.ours('warn')).toEqual([expect.stringContaining('signature_mismatch')]);
  });

  it('names invalid fields, but not their values', async () => {
    const { scalekit, logger } = await startScriptedApp(adapter);

    await scalekit.deliver({ ...aUserCreated(), data: { user: { id: 'usr_1', email: 4711 } } });

    expect(logger.ours('warn')).toEqual([expect.stringContaining('data.user.email')]);
    expect(logger.ours().join()).not.toContain('4711');
  });

  it('reports a run that ended after its deadline, and how it ended', async () => {
    const { scalekit, first, logger, app } = await startScriptedApp(adapter);
    const [gate, started] = [deferred(), deferred()];
    first.mockImplementation(() => {
      started.resolve();
      return gate.promise;
    });
    const event = aUserCreated();
    const answering = scalekit.deliver(event);
    await started.promise;
    await jest.advanceTimersByTimeAsync(9000);
    await answering;
    gate.reject(new Error('broken after all'));
    await app.close();

    expect(logger.ours('error')).toEqual([]);
    expect(logger.ours('warn')).toEqual([
      `First.handle for ${event.id} (user.created) did not end within handlerTimeoutMs (9000 ms); answered 503, Scalekit will retry`,
      `${event.id} (user.created): unavailable`,
      `First.handle failed for ${event.id} (user.created): Error: broken after all`,
      `First.handle ended after its deadline for ${event.id} (user.created): failed`,
    ]);
  });

  it('names the status that was sent when a run missed its deadline, also if it is not the usual one', async () => {
    const bench = await startScriptedApp(adapter, { statusCodes: { unavailable: 504 } });
    const started = deferred();
    const gate = deferred();
    bench.first.mockImplementation(() => {
      started.resolve();
      return gate.promise;
    });
    const answering = bench.scalekit.deliver(aUserCreated());
    await started.promise;
    await jest.advanceTimersByTimeAsync(9000);
    await answering;
    gate.resolve();

    expect(bench.logger.ours('warn')).toContainEqual(expect.stringContaining('answered 504, Scalekit'));
  });

  it('does not say that Scalekit will retry an event that the application dispatched itself', async () => {
    const { dispatcher, first, logger } = await startScriptedApp(adapter);
    const [gate, started] = [deferred(), deferred()];
    first.mockImplementation(() => {
      started.resolve();
      return gate.promise;
    });
    const dispatching = dispatcher.dispatch(aUserCreated());
    await started.promise;
    await jest.advanceTimersByTimeAsync(9000);
    await dispatching;
    gate.resolve();

    expect(logger.ours('warn')).toContainEqual(
      expect.stringMatching(/did not end within handlerTimeoutMs \(9000 ms\); it is still running/),
    );
  });

  it('reports a run that lost its lease', async () => {
    const inbox = new MemoryInboxStore();
    jest.spyOn(inbox, 'settle').mockResolvedValueOnce([]);
    const { scalekit, logger } = await startScriptedApp(adapter, { inbox });
    const event = aUserCreated();

    expect((await scalekit.deliver(event)).status).toBe(201);
    expect(logger.ours('error')).toEqual([`lease_lost for ${event.id} (user.created)`]);
  });

  it('has one line per cause and interval while the inbox is down, with a count, and spares the inbox', async () => {
    const inbox = new MemoryInboxStore();
    const claim = jest.spyOn(inbox, 'claim').mockRejectedValue(new Error('connection refused'));
    const { dispatcher, logger } = await startScriptedApp(adapter, { inbox });

    const results = Array.from({ length: 500 }, () => dispatcher.dispatch(aUserCreated()));
    await jest.advanceTimersByTimeAsync(DEADLINE_MS);
    expect(new Set((await Promise.all(results)).map(({ outcome }) => outcome))).toEqual(
      new Set(['unavailable']),
    );

    // One for each delivery, and then about one per second.
    expect(claim.mock.calls.length).toBeLessThan(530);
    const failed = expect.stringMatching(
      /^claim_failed for evt_\w+ \(user\.created\): Error: connection refused$/,
    );
    const unavailable = expect.stringMatching(/^evt_\w+ \(user\.created\): unavailable$/);
    expect([logger.ours('error'), logger.ours('warn')]).toEqual([[failed], [unavailable]]);

    await jest.advanceTimersByTimeAsync(INTERVAL_MS);
    const counted = expect.stringMatching(/\(the last of 499 such lines in 10 s\)$/);
    expect([logger.ours('error'), logger.ours('warn')]).toEqual([
      [failed, counted],
      [unavailable, counted],
    ]);
  });

  it('names each cause, also while another one is frequent', async () => {
    const inbox = new MemoryInboxStore();
    const refused = new Error('connection refused');
    jest.spyOn(inbox, 'claim').mockRejectedValue(refused);
    const { dispatcher, logger, first } = await startScriptedApp(adapter, { inbox });
    const results = Array.from({ length: 20 }, () => dispatcher.dispatch(aUserCreated()));
    await jest.advanceTimersByTimeAsync(DEADLINE_MS);
    await Promise.all(results);

    jest.mocked(inbox.claim).mockRejectedValue(new Error('too many connections'));
    const another = dispatcher.dispatch(aUserCreated());
    await jest.advanceTimersByTimeAsync(DEADLINE_MS);
    await another;
    jest.mocked(inbox.claim).mockRestore();
    first.mockRejectedValue(new Error('broken'));
    const failing = dispatcher.dispatch(aUserCreated());
    await jest.advanceTimersByTimeAsync(2000);
    await failing;

    const lines = logger.ours('error').join('\n');
    expect(lines).toContain('connection refused');
    expect(lines).toContain('too many connections');
    expect(logger.ours('warn').join('\n')).toContain('First.handle failed');
    expect(logger.ours('warn')).toContainEqual(expect.stringMatching(/: failed$/));
  });

  it.each(SCENARIOS)('contains no payload, secret or digest when $when', async (scenario) => {
    const app = await startScriptedApp(adapter, scenario.options?.());

    await scenario.play(app);
    await app.scalekit.deliver(
      createScalekitEvent('organization.domain_created', {}, { seed: 'the log must not contain this' }),
    );

    const text = app.logger.lines.map(({ message }) => `${message}\n${JSON.stringify(message)}`).join('\n');
    expect(text).toContain('POST /webhooks/scalekit');
    for (const part of [
      'sample.user@example.com',
      'Sample',
      'Example',
      'made-up-',
      'usr_',
      'org_',
      '"data"',
    ]) {
      expect(text).not.toContain(part);
    }
    expect(text).not.toContain(SECRET.slice('whsec_'.length));
    expect(text).not.toMatch(/v1[,=][\w+/=]{20}/);
    expect(text).not.toMatch(/[0-9a-f]{64}|[A-Za-z0-9+/]{43}=/);
  });
});
