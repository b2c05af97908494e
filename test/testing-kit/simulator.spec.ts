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
    ['extended', 8],
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
