import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { createScalekitEvent, ScalekitDeliverySimulator } from 'nestjs-scalekit-webhooks/testing';
import { SECRET } from '../helpers/test-app.js';

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

const running: Server[] = [];

afterEach(() => {
  for (const server of running.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

/** The URL of a server that responds as the test wants. */
async function serve(answer: Answer): Promise<string> {
  const server = createServer((request, response) => {
    request.resume().once('end', () => answer(request, response));
  });
  running.push(server);
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const { port } = server.address() as AddressInfo;
  return `http://127.0.0.1:${port}/`;
}

function answering(...statuses: number[]): Answer {
  return (_, response) => {
    response.writeHead(statuses.shift() ?? 201).end();
  };
}

function events(count: number) {
  return Array.from({ length: count }, (_, seed) => createScalekitEvent('user.created', {}, { seed }));
}

const FAST = { secrets: SECRET, timeScale: 1_000_000 };

describe('The delivery simulator', () => {
  it('sends a failed delivery again until it is acknowledged', async () => {
    const urls = await serve(answering(500, 503, 202));

    const { events: sent, totals } = await new ScalekitDeliverySimulator({ ...FAST, urls }).send(events(1));

    expect(sent).toMatchObject([
      { state: 'acknowledged', attempts: [{ status: 500 }, { status: 503 }, { status: 202, attempt: 3 }] },
    ]);
    expect(totals).toMatchObject({ events: 1, acknowledged: 1, attempts: 3, statuses: { 500: 1, 503: 1 } });
  });

  it.each([
    ['guide', 6],
    ['guide-short', 4],
    ['dashboard', 4],
    ['scim', 8],
  ] as const)('gives an event up after all attempts of the %s schedule', async (schedule, attempts) => {
    const urls = await serve((_, response) => response.writeHead(400).end());
    const simulator = new ScalekitDeliverySimulator({ ...FAST, urls, schedule, timeScale: 1e9 });

    const { events: sent, totals } = await simulator.send(events(1));

    expect(sent).toMatchObject([{ state: 'given_up' }]);
    expect(totals).toMatchObject({ givenUp: 1, attempts });
  });

  it('retries after a 202 if only 200 and 201 acknowledge', async () => {
    const urls = await serve(answering(202, 201));
    const simulator = new ScalekitDeliverySimulator({ ...FAST, urls, success: [200, 201] });

    expect((await simulator.send(events(1))).totals.statuses).toEqual({ 201: 1, 202: 1 });
  });

  it('does not follow redirects', async () => {
    const urls = await serve((_, response) => response.writeHead(307, { location: '/' }).end());
    const simulator = new ScalekitDeliverySimulator({ ...FAST, urls, schedule: [0] });

    expect((await simulator.send(events(1))).totals.statuses).toEqual({ 307: 1 });
  });

  it('sends a delivery again if no response arrives in time', async () => {
    let isFirst = true;
    const urls = await serve((_, response) => {
      if (!isFirst) response.writeHead(201).end();
      isFirst = false;
    });
    const simulator = new ScalekitDeliverySimulator({ ...FAST, urls, timeoutMs: 50 });

    expect((await simulator.send(events(1))).totals.statuses).toEqual({ timeout: 1, 201: 1 });
  });

  it('posts to several URLs in turn, and so gets past one that is down', async () => {
    const up = await serve(answering());
    const down = await serve(answering());
    running.pop()?.close();
    const simulator = new ScalekitDeliverySimulator({ ...FAST, urls: [down, up], concurrency: 1 });

    const { totals } = await simulator.send(events(2));

    expect(totals).toMatchObject({ acknowledged: 2, statuses: { 201: 2, unreachable: expect.any(Number) } });
  });

  it('signs each attempt under its own webhook-id, which is the same for the same seed', async () => {
    const ids: unknown[] = [];
    const urls = await serve(({ headers }, response) => {
      ids.push(headers['webhook-id']);
      response.writeHead(500).end();
    });
    const simulator = new ScalekitDeliverySimulator({ ...FAST, urls, schedule: [0, 0] });

    await simulator.send(events(1));
    await simulator.send(events(1));

    expect(new Set(ids.slice(0, 2)).size).toBe(2);
    expect(ids.slice(2)).toEqual(ids.slice(0, 2));
  });

  it('sends at most as many requests at once as concurrency allows', async () => {
    let underWay = 0;
    let most = 0;
    const urls = await serve((_, response) => {
      underWay += 1;
      most = Math.max(most, underWay);
      setImmediate(() => {
        underWay -= 1;
        response.writeHead(201).end();
      });
    });

    await new ScalekitDeliverySimulator({ ...FAST, urls, concurrency: 3 }).send(events(20));

    expect(most).toBeLessThanOrEqual(3);
  });

  it('stops when it is aborted, and reports the events that were not acknowledged', async () => {
    const abort = new AbortController();
    const urls = await serve(answering(500, 201));
    const simulator = new ScalekitDeliverySimulator({
      urls,
      secrets: SECRET,
      concurrency: 1,
      onAttempt: ({ attempt, acknowledged }) => {
        if (attempt === 1 && acknowledged) abort.abort();
      },
    });

    const { totals } = await simulator.send(events(3), { signal: abort.signal });

    expect(totals).toMatchObject({ acknowledged: 1, aborted: 2, attempts: 2 });
  });
});

describe('An outage', () => {
  const NOON = Date.UTC(2026, 0, 31, 12);
  const MINUTE = 60_000;

  /** One event in each minute. */
  function eventsFrom(time: number, count: number) {
    return Array.from({ length: count }, (_, minute) =>
      createScalekitEvent('user.created', {
        id: `evt_${minute}`,
        occurred_at: new Date(time + minute * MINUTE).toISOString(),
      }),
    );
  }

  const outageOf = (from: number, until: number) => ({
    from: new Date(NOON + from * MINUTE),
    until: new Date(NOON + until * MINUTE),
  });

  it('loses the events whose attempts are all due in it, and reports them as given up', async () => {
    const received: unknown[] = [];
    const urls = await serve((request, response) => {
      received.push(request.url);
      response.writeHead(201).end();
    });
    const simulator = new ScalekitDeliverySimulator({ ...FAST, urls, outage: outageOf(60, 180) });

    const { events: sent, totals } = await simulator.send(eventsFrom(NOON, 300));

    // The guide's last attempt is due 22 minutes and 35 seconds after the first.
    const lost = Array.from({ length: 98 }, (_, index) => `evt_${60 + index}`);
    expect(sent.filter(({ state }) => state === 'given_up').map(({ id }) => id)).toEqual(lost);
    expect(totals).toMatchObject({ givenUp: 98, acknowledged: 202, statuses: { 201: 202 } });
    expect(received).toHaveLength(202);
  });

  it.each([
    ['guide', 6],
    ['guide-short', 4],
    ['dashboard', 4],
    ['scim', 8],
  ] as const)('that is longer than the %s schedule uses up its %d attempts', async (schedule, attempts) => {
    const urls = await serve(answering());
    const outage = outageOf(0, 28 * 60);
    const simulator = new ScalekitDeliverySimulator({ ...FAST, timeScale: 1e9, urls, schedule, outage });

    const { totals } = await simulator.send(eventsFrom(NOON, 1));

    expect(totals).toMatchObject({ givenUp: 1, attempts, statuses: { outage: attempts } });
  });

  it('ends before the attempt that is due at its end', async () => {
    const urls = await serve(answering());
    const simulator = new ScalekitDeliverySimulator({
      ...FAST,
      urls,
      schedule: [0, MINUTE, MINUTE],
      outage: outageOf(0, 2),
    });

    const { totals } = await simulator.send(eventsFrom(NOON, 1));

    expect(totals).toMatchObject({ acknowledged: 1, statuses: { outage: 2, 201: 1 } });
  });

  it.each([undefined, 'yesterday'])('refuses an event that happened at %p', async (occurred_at) => {
    const simulator = new ScalekitDeliverySimulator({ ...FAST, urls: 'http://x/', outage: outageOf(0, 1) });

    await expect(simulator.send([{ id: 'evt_1', type: 'user.created', occurred_at }])).rejects.toMatchObject({
      setting: 'events.occurred_at',
      message: expect.stringContaining('if outage is set'),
    });
  });
});
