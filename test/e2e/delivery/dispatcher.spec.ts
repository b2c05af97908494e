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
  it('takes nothing before the application has started', async () => {
    const imports = [ScalekitWebhooksModule.forRoot({ signingSecret: SECRET })];
    const module = await Test.createTestingModule({ imports }).compile();
    const dispatcher = module.get(ScalekitEventDispatcher, { strict: false });

    expect(await dispatcher.dispatch(aUserCreated())).toEqual({ outcome: 'unavailable', handlers: [] });
    await expect(dispatcher.onModuleDestroy()).resolves.toBeUndefined();
  });
});

describe.each(ADAPTERS)('On %s ScalekitEventDispatcher.dispatch', (_name, adapter) => {
  it('hands a plain object to the handlers as an instance of its DTO', async () => {
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

  it('leaves the object as it is, be it frozen', async () => {
    const { dispatcher, first } = await startScriptedApp(adapter);
    const event = Object.freeze(plain(aUserCreated()));

    await dispatcher.dispatch(event);

    expect(first.mock.calls[0]?.[0]).toEqual(event);
    expect(Object.getPrototypeOf(event.data)).toBe(Object.prototype);
  });

  it.each([undefined, null, 7, [{}]])('refuses %j, which is no event', async (value) => {
    const { dispatcher } = await startScriptedApp(adapter);

    const dispatched: Promise<unknown> = Reflect.apply(dispatcher.dispatch, dispatcher, [value]);
    await expect(dispatched).rejects.toMatchObject({ name: 'InvalidEventError', code: 'not_an_event' });
  });

  it('takes an event that is a DTO already', async () => {
    const { dispatcher, first } = await startScriptedApp(adapter);

    expect(await dispatcher.dispatch(aUserCreated())).toMatchObject({ outcome: 'processed' });
    expect(first.mock.calls[0]?.[0]).toBeInstanceOf(UserCreatedEvent);
  });

  it('makes up a delivery without headers, whose bytes are the event', async () => {
    const { dispatcher, first } = await startScriptedApp(adapter);
    const event = aUserCreated();

    await dispatcher.dispatch(event);

    const delivery = first.mock.calls[0]?.[1];
    expect(delivery).toMatchObject({ headers: {}, attempt: 1, endpoint: 'default', issues: [] });
    expect(delivery?.id).toEqual(expect.any(String));
    expect(JSON.parse(String(delivery?.rawBody))).toEqual(plain(event));
  });

  it('returns what a handler threw in place of throwing it', async () => {
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
    ['an object that is no event', { hello: 'world' }],
    ['an event whose data is not usable', { ...plain(aUserCreated()), data: { user: { id: 7 } } }],
    ['an event without an id', { ...plain(aUserCreated()), id: undefined }],
  ])('throws an InvalidEventError for %s', async (_, event) => {
    const { dispatcher, first } = await startScriptedApp(adapter);

    await expect(dispatcher.dispatch(event)).rejects.toThrow(InvalidEventError);
    expect(first).not.toHaveBeenCalled();
  });

  it('knows what came by HTTP, and the other way round', async () => {
    const { dispatcher, scalekit, first } = await startScriptedApp(adapter);
    const [byHttp, byHand] = [aUserCreated(), aUserCreated()];
    await scalekit.deliver(byHttp);
    await dispatcher.dispatch(byHand);

    expect(await dispatcher.dispatch(byHttp)).toMatchObject({ outcome: 'duplicate' });
    expect((await scalekit.deliver(byHand)).body).toEqual({ received: true, status: 'duplicate' });
    expect(first).toHaveBeenCalledTimes(2);
  });

  it('ignores an event that no handler takes', async () => {
    const { dispatcher } = await startScriptedApp(adapter);

    expect(await dispatcher.dispatch({ ...plain(aUserCreated()), type: 'vault.sealed' })).toEqual({
      outcome: 'ignored',
      handlers: [],
    });
  });
});
