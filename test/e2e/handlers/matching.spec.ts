import { describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import {
  OnScalekitEvent,
  type ScalekitEvent,
  ScalekitWebhooksModule,
  UnknownScalekitEvent,
  UserCreatedEvent,
} from 'nestjs-scalekit-webhooks';
import { createScalekitEvent, ScalekitWebhookTester } from 'nestjs-scalekit-webhooks/testing';
import { run } from '../../helpers/running-app.js';
import { ADAPTERS, SECRET } from '../../helpers/test-app.js';

const calls: [handler: string, event: ScalekitEvent][] = [];

@Injectable()
class ByName {
  @OnScalekitEvent('user.created')
  userCreated(event: ScalekitEvent<'user.created'>) {
    calls.push(['userCreated', event]);
  }

  @OnScalekitEvent(['organization.created', 'user.deleted'])
  either(event: ScalekitEvent<'organization.created' | 'user.deleted'>) {
    calls.push(['either', event]);
  }

  @OnScalekitEvent('user.updated')
  @OnScalekitEvent('user.*')
  stacked(event: ScalekitEvent<'user.*'>) {
    calls.push(['stacked', event]);
  }
}

@Injectable()
class ByPattern {
  @OnScalekitEvent('*')
  everything(event: ScalekitEvent<'*'>) {
    calls.push(['*', event]);
  }

  @OnScalekitEvent('organization.*')
  organization(event: ScalekitEvent<'organization.*'>) {
    calls.push(['organization.*', event]);
  }

  @OnScalekitEvent('organization.directory.*')
  directory(event: ScalekitEvent<'organization.directory.*'>) {
    calls.push(['organization.directory.*', event]);
  }
}

describe.each(ADAPTERS)('an event, on %s', (_name, adapter) => {
  async function deliver(event: object) {
    calls.length = 0;
    const app = await run(adapter, {
      imports: [ScalekitWebhooksModule.forRoot({ signingSecret: SECRET })],
      providers: [ByName, ByPattern],
    });
    const answer = await new ScalekitWebhookTester(app).deliver(event);
    return { answer, handlers: calls.map(([handler]) => handler).sort() };
  }

  it('runs the handlers for its exact type and for every pattern that it matches', async () => {
    const { answer, handlers } = await deliver(createScalekitEvent('organization.created'));

    expect(handlers).toEqual(['*', 'either', 'organization.*']);
    expect(answer).toMatchObject({ status: 201, body: { received: true, status: 'processed' } });
  });

  it('runs a handler that lists several types', async () => {
    const { handlers } = await deliver(createScalekitEvent('user.deleted'));

    expect(handlers).toEqual(['*', 'either', 'stacked']);
  });

  it('runs a method with several matching decorators once', async () => {
    const { handlers } = await deliver(createScalekitEvent('user.updated'));

    expect(handlers).toEqual(['*', 'stacked']);
  });

  it('matches the patterns of all its prefixes', async () => {
    const { handlers } = await deliver(createScalekitEvent('organization.directory.user_created'));

    expect(handlers).toEqual(['*', 'organization.*', 'organization.directory.*']);
  });

  it('is an instance of its class if its type is known', async () => {
    const event = createScalekitEvent('user.created', { data: { user: { email: 'a@example.com' } } });
    await deliver(event);

    const [, received] = calls.find(([handler]) => handler === 'userCreated') ?? [];
    expect(received).toBeInstanceOf(UserCreatedEvent);
    expect(received).toEqual(event);
  });

  it('is an UnknownScalekitEvent and matches only patterns if its type is unknown', async () => {
    const { answer, handlers } = await deliver({
      ...createScalekitEvent('organization.created'),
      type: 'organization.invoice.paid',
      data: { anything: [1] },
    });

    expect(handlers).toEqual(['*', 'organization.*']);
    expect(calls.every(([, event]) => event instanceof UnknownScalekitEvent)).toBe(true);
    expect(calls[0]?.[1].data).toEqual({ anything: [1] });
    expect(answer.status).toBe(201);
  });

  it('does not match a pattern that only shares its first letters', async () => {
    const { handlers } = await deliver({
      ...createScalekitEvent('user.created'),
      type: 'organizations.created',
    });

    expect(handlers).toEqual(['*']);
  });
});

describe.each(ADAPTERS)('an event without a handler, on %s', (_name, adapter) => {
  it('is acknowledged as ignored', async () => {
    const app = await run(adapter, {
      imports: [ScalekitWebhooksModule.forRoot({ signingSecret: SECRET })],
      providers: [ByName],
    });

    const answer = await new ScalekitWebhookTester(app).deliver(createScalekitEvent('role.created'));

    expect(answer).toMatchObject({ status: 200, body: { received: true, status: 'ignored' } });
  });
});
