import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { toWebhookEvent } from 'nestjs-scalekit-webhooks';
import {
  createScalekitEvent,
  type ListeningEventsApi,
  SimulatedEventsApi,
} from 'nestjs-scalekit-webhooks/testing';
import { holdDate } from '../helpers/clock.js';
import { Scalekit } from '../helpers/scalekit-sdk.js';

const START = Date.UTC(2026, 0, 2);

function eventAt(ms: number, type: 'user.created' | 'user.deleted' = 'user.created') {
  return createScalekitEvent(type, { id: `evt_${ms}`, occurred_at: new Date(START + ms).toISOString() });
}

function timestamp(ms: number) {
  return { seconds: BigInt(Math.floor((START + ms) / 1000)), nanos: 0 };
}

function idsOf({ events }: { events: readonly { readonly id: string }[] }): string[] {
  return events.map(({ id }) => id);
}

describe('The simulated Events API, called by the real SDK', () => {
  let api: SimulatedEventsApi;
  let listening: ListeningEventsApi;
  let sdk: InstanceType<typeof Scalekit>['events'];

  beforeEach(async () => {
    api = new SimulatedEventsApi();
    listening = await api.listen();
    const { url, clientId, clientSecret } = listening;
    sdk = new Scalekit(url, clientId, clientSecret).events;
  });

  afterEach(() => listening.close());

  it('returns the events that were added', async () => {
    const event = createScalekitEvent('organization.created');
    api.add(event);

    const { events } = await sdk.listEventsPaginated();

    expect(events.map(toWebhookEvent)).toEqual([
      { ...JSON.parse(JSON.stringify(event)), occurred_at: event.occurred_at.replace('.000Z', 'Z') },
    ]);
  });

  it('lists them newest first, in pages of at most 100', async () => {
    api.add(...Array.from({ length: 120 }, (_, index) => eventAt(index * 1000)));

    const first = await sdk.listEventsPaginated(500);
    const second = await sdk.listEventsPaginated(500, first.nextPageToken);

    expect(idsOf(first)).toHaveLength(100);
    expect([...idsOf(first), ...idsOf(second)]).toEqual(
      Array.from({ length: 120 }, (_, index) => `evt_${(119 - index) * 1000}`),
    );
    expect(second.nextPageToken).toBe('');
  });

  it('filters by type and time', async () => {
    api.add(eventAt(1000), eventAt(2000), eventAt(3000, 'user.deleted'), eventAt(4000));

    const filter = { eventTypes: ['user.created'], startTime: timestamp(2000), endTime: timestamp(4000) };

    expect(idsOf(await sdk.listEventsPaginated(10, '', filter))).toEqual(['evt_2000']);
  });

  it('refuses a page token that it did not make, and a time that begins after it ends', async () => {
    const backwards = { startTime: timestamp(2000), endTime: timestamp(1000) };

    await expect(sdk.listEventsPaginated(10, 'no token')).rejects.toThrow();
    await expect(sdk.listEventsPaginated(10, '', backwards)).rejects.toThrow();
  });

  it('lets the SDK get a new access token when the old one has expired', async () => {
    await sdk.listEventsPaginated();
    listening.expireTokens();

    await expect(sdk.listEventsPaginated()).resolves.toMatchObject({ events: [] });
  });

  it('fails as it is told', async () => {
    api.failNext('resource_exhausted');

    await expect(sdk.listEventsPaginated()).rejects.toMatchObject({ grpcStatus: 8 });
    await expect(sdk.listEventsPaginated()).resolves.toMatchObject({ events: [] });
    expect(api.requests).toBe(2);
  });
});

describe('The client of the simulated Events API', () => {
  it('answers like the SDK, without a network', async () => {
    const api = new SimulatedEventsApi();
    api.add(eventAt(1000), eventAt(2000));

    const { listEventsPaginated } = api.client.events;
    const first = await listEventsPaginated(1);

    expect(idsOf(first)).toEqual(['evt_2000']);
    expect(idsOf(await listEventsPaginated(1, first.nextPageToken))).toEqual(['evt_1000']);
  });

  it('hides an event until it is visible', async () => {
    holdDate();
    jest.setSystemTime(START + 60_000);
    const api = new SimulatedEventsApi({ visibleAfterMs: 90_000 });
    api.add(eventAt(0));
    const { listEventsPaginated } = api.client.events;

    expect(idsOf(await listEventsPaginated())).toEqual([]);
    jest.setSystemTime(START + 90_000);
    expect(idsOf(await listEventsPaginated())).toEqual(['evt_0']);
  });

  it('is down during an outage, and lets a page token become invalid', async () => {
    const api = new SimulatedEventsApi();
    api.add(eventAt(1000), eventAt(2000));
    const { listEventsPaginated } = api.client.events;

    const outage = api.beginOutage();
    await expect(listEventsPaginated()).rejects.toMatchObject({ code: 'unavailable' });
    outage.end();

    api.failNext('invalid_page_token');
    const { nextPageToken } = await listEventsPaginated(1);
    await expect(listEventsPaginated(1, nextPageToken)).rejects.toMatchObject({ code: 'invalid_argument' });
    await expect(listEventsPaginated(1, nextPageToken)).resolves.toMatchObject({ nextPageToken: '' });
  });
});
