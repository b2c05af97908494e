import { describe, expect, it } from '@jest/globals';
import { Test } from '@nestjs/testing';
import {
  InvalidEventError,
  ScalekitEventDispatcher,
  ScalekitWebhooksModule,
  UserCreatedEvent,
} from 'nestjs-scalekit-webhooks';
import { aUserCreated, startScriptedApp } from '../../helpers/scripted-app.js';
import { ADAPTERS, SECRET } from '../../helpers/test-app.js';

function plain(event: object): Record<string, unknown> {
  return JSON.parse(JSON.stringify(event));
}

describe('ScalekitEventDispatcher.dispatch', () => {
  it('reports events as unavailable before the application has started', async () => {
    const imports = [ScalekitWebhooksModule.forRoot({ signingSecret: SECRET })];
    const module = await Test.createTestingModule({ imports }).compile();
    const dispatcher = module.get(ScalekitEventDispatcher, { strict: false });

    expect(await dispatcher.dispatch(aUserCreated())).toEqual({ outcome: 'unavailable', handlers: [] });
    await expect(dispatcher.onModuleDestroy()).resolves.toBeUndefined();
  });
});

describe.each(ADAPTERS)('ScalekitEventDispatcher.dispatch, on %s', (_name, adapter) => {
  it('passes a plain object to the handlers as an instance of its DTO', async () => {
    const { dispatcher, first } = await startScriptedApp(adapter);
    const event = aUserCreated();

    expect(await dispatcher.dispatch(plain(event))).toEqual({
      outcome: 'processed',
      handlers: [
        { handlerId: 'First.handle', state: 'done' },
        { handlerId: 'Second.handle', state: 'done' },
      ],
    });
    expect(first.mock.calls[0]?.[0]).toBeInstanceOf(UserCreatedEvent);
    expect(first.mock.calls[0]?.[0]).toEqual(event);
  });

  it('does not change the object, which can be frozen', async () => {
    const { dispatcher, first } = await startScriptedApp(adapter);
    const event = Object.freeze(plain(aUserCreated()));

    await dispatcher.dispatch(event);

    expect(first.mock.calls[0]?.[0]).toEqual(event);
    expect(Object.getPrototypeOf(event.data)).toBe(Object.prototype);
  });

  it.each([undefined, null, 7, [{}]])('rejects %j, which is not an event', async (value) => {
    const { dispatcher } = await startScriptedApp(adapter);

    const dispatched: Promise<unknown> = Reflect.apply(dispatcher.dispatch, dispatcher, [value]);
    await expect(dispatched).rejects.toMatchObject({ name: 'InvalidEventError', code: 'not_an_event' });
  });

  it('accepts an event that is already a DTO', async () => {
    const { dispatcher, first } = await startScriptedApp(adapter);

    expect(await dispatcher.dispatch(aUserCreated())).toMatchObject({ outcome: 'processed' });
    expect(first.mock.calls[0]?.[0]).toBeInstanceOf(UserCreatedEvent);
  });

  it('creates a delivery without headers, with the event as its raw body', async () => {
    const { dispatcher, first } = await startScriptedApp(adapter);
    const event = aUserCreated();

    await dispatcher.dispatch(event);

    const delivery = first.mock.calls[0]?.[1];
    expect(delivery).toMatchObject({ headers: {}, attempt: 1, endpoint: 'default', issues: [] });
    expect(delivery?.id).toEqual(expect.any(String));
    expect(JSON.parse(String(delivery?.rawBody))).toEqual(plain(event));
  });

  it('returns the error of a handler instead of throwing it', async () => {
    const { dispatcher, first } = await startScriptedApp(adapter);
    first.mockRejectedValue(new TypeError('broken'));

    expect(await dispatcher.dispatch(aUserCreated())).toEqual({
      outcome: 'failed',
      handlers: [
        { handlerId: 'First.handle', state: 'failed', error: { name: 'TypeError', message: 'broken' } },
        { handlerId: 'Second.handle', state: 'done' },
      ],
    });
  });

  it.each([
    ['an object that is not an event', { hello: 'world' }],
    ['an event with invalid data', { ...plain(aUserCreated()), data: { user: { id: 7 } } }],
    ['an event without an id', { ...plain(aUserCreated()), id: undefined }],
  ])('throws an InvalidEventError for %s', async (_, event) => {
    const { dispatcher, first } = await startScriptedApp(adapter);

    await expect(dispatcher.dispatch(event)).rejects.toThrow(InvalidEventError);
    expect(first).not.toHaveBeenCalled();
  });

  it('recognizes duplicates of events that arrived over HTTP, and vice versa', async () => {
    const { dispatcher, scalekit, first } = await startScriptedApp(adapter);
    const [byHttp, byHand] = [aUserCreated(), aUserCreated()];
    await scalekit.deliver(byHttp);
    await dispatcher.dispatch(byHand);

    expect(await dispatcher.dispatch(byHttp)).toMatchObject({ outcome: 'duplicate' });
    expect((await scalekit.deliver(byHand)).body).toEqual({ received: true, status: 'duplicate' });
    expect(first).toHaveBeenCalledTimes(2);
  });

  it('ignores an event without a handler', async () => {
    const { dispatcher } = await startScriptedApp(adapter);

    expect(await dispatcher.dispatch({ ...plain(aUserCreated()), type: 'vault.sealed' })).toEqual({
      outcome: 'ignored',
      handlers: [],
    });
  });
});
