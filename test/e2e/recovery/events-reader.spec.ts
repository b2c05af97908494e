import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it, jest } from '@jest/globals';
import { createScalekitEvent, SimulatedEventsApi } from 'nestjs-scalekit-webhooks/testing';
import { EventsReader, type ReadEvent } from '../../../lib/recovery/events.reader.js';
import type { ScalekitEventsClient } from '../../../lib/recovery/recovery.options.js';
import { holdClock } from '../../helpers/clock.js';
import { apiWith } from './many-events.js';

const run = promisify(execFile);
const RUNNER = fileURLToPath(new URL('../../helpers/run-typescript.mjs', import.meta.url));
const MAIN = fileURLToPath(new URL('./many-events.main.ts', import.meta.url));

const START = Date.UTC(2026, 0, 2);
const WINDOW = { from: START, until: START + 3_600_000 };

function eventAt(ms: number, id = `evt_${ms}`, decimals = '') {
  const time = new Date(START + ms).toISOString().replace('Z', `${decimals}Z`);
  return createScalekitEvent('user.created', { id, occurred_at: time });
}

function readerOf(client: ScalekitEventsClient, signal = new AbortController().signal): EventsReader {
  return new EventsReader(client, {}, signal);
}

async function slicesOf(client: ScalekitEventsClient, window = WINDOW): Promise<string[][]> {
  const slices: string[][] = [];
  for await (const events of readerOf(client).slices(window)) slices.push(events.map(({ id }) => String(id)));
  return slices;
}

/** The SDK's method, and what a test puts in its place. */
type List = ScalekitEventsClient['events']['listEventsPaginated'];

function clientOf(
  api: SimulatedEventsApi,
  around: (list: List) => List = (list) => list,
): ScalekitEventsClient {
  return { events: { listEventsPaginated: around(api.client.events.listEventsPaginated) } };
}

/** Lets the back-offs of a reader pass until it has read everything. */
async function skippingWaits<T>(reading: Promise<T>): Promise<T> {
  let isOver = false;
  const end = () => {
    isOver = true;
  };
  reading.then(end, end);
  while (!isOver) await jest.advanceTimersByTimeAsync(1000);
  return reading;
}

describe('Reading a window', () => {
  it('takes one slice if it has few events, oldest first', async () => {
    const api = new SimulatedEventsApi();
    api.add(...Array.from({ length: 250 }, (_, index) => eventAt(index * 1000)));

    expect(await slicesOf(api.client)).toEqual([
      Array.from({ length: 250 }, (_, index) => `evt_${index * 1000}`),
    ]);
    expect(api.requests).toBe(3);
  });

  it('takes several slices if it has many, without missing or repeating an event', async () => {
    const api = new SimulatedEventsApi();
    // Most of them happened in the last minute.
    api.add(
      ...Array.from({ length: 4500 }, (_, index) => eventAt(index < 500 ? index : 3_540_000 + index * 13)),
    );

    const slices = await slicesOf(api.client);

    expect(slices.length).toBeGreaterThan(4);
    for (const slice of slices) expect(slice.length).toBeLessThanOrEqual(1000);
    const ids = slices.flat();
    expect(ids).toHaveLength(4500);
    expect(ids).toEqual([...ids].sort((one, other) => Number(one.slice(4)) - Number(other.slice(4))));
  }, 30_000);

  it('reads more events than a slice holds if they happened in the same millisecond', async () => {
    const api = new SimulatedEventsApi();
    api.add(
      ...Array.from({ length: 1500 }, (_, index) => eventAt(60_000, `evt_same_${index}`)),
      eventAt(1),
      eventAt(120_000),
    );

    const ids = (await slicesOf(api.client)).flat();

    expect(new Set(ids).size).toBe(1502);
    expect([ids[0], ids.at(-1)]).toEqual(['evt_1', 'evt_120000']);
  }, 30_000);

  it('orders events by nanoseconds', async () => {
    const api = new SimulatedEventsApi();
    api.add(eventAt(5, 'evt_b', '000002'), eventAt(5, 'evt_c', '1'), eventAt(5, 'evt_a', '000001'));

    expect(await slicesOf(api.client)).toEqual([['evt_a', 'evt_b', 'evt_c']]);
  });

  it.each([
    ['includes neither end', -1, 0],
    ['includes both ends', 0, 1],
  ])(
    'misses nothing if the API %s of a window',
    async (_, afterStart, afterEnd) => {
      const api = new SimulatedEventsApi();
      // Where the window is halved, there are events.
      api.add(...Array.from({ length: 3600 }, (_, second) => eventAt(second * 1000)));
      const shift = (time: { seconds: bigint; nanos: number } | undefined, ms: number) => {
        const at = Number(time?.seconds) * 1000 + Number(time?.nanos) / 1_000_000 + ms;
        const seconds = Math.floor(at / 1000);
        return { seconds: BigInt(seconds), nanos: (at - seconds * 1000) * 1_000_000 };
      };
      const client = clientOf(api, (list) => (size, token, filter) => {
        const startTime = shift(filter?.startTime, -afterStart);
        return list(size, token, { ...filter, startTime, endTime: shift(filter?.endTime, afterEnd) });
      });

      const ids = (await slicesOf(client)).flat();

      expect(ids).toHaveLength(3600);
      expect(new Set(ids).size).toBe(3600);
    },
    30_000,
  );

  it('misses nothing while new events shift the pages', async () => {
    const api = new SimulatedEventsApi();
    api.add(...Array.from({ length: 500 }, (_, index) => eventAt(index * 1000)));
    let late = 0;
    const client = clientOf(api, (list) => async (...request) => {
      const page = await list(...request);
      late += 1;
      // It becomes visible late, and is newer than those that were read.
      api.add(eventAt(1_000_000 + late, `evt_late_${late}`));
      return page;
    });

    const ids = (await slicesOf(client)).flat();

    expect(ids.filter((id) => !id.startsWith('evt_late'))).toHaveLength(500);
    expect(new Set(ids).size).toBe(ids.length);
  });
});

describe('An Events API that fails', () => {
  it('is asked again until it succeeds', async () => {
    holdClock();
    const api = new SimulatedEventsApi();
    api.add(...Array.from({ length: 150 }, (_, index) => eventAt(index)));
    api.failNext('unavailable', 'resource_exhausted', 'unauthenticated');

    expect((await skippingWaits(slicesOf(api.client))).flat()).toHaveLength(150);
    expect(api.requests).toBe(5);
  });

  it('is read from the first page again if a page token has become invalid', async () => {
    holdClock();
    const api = new SimulatedEventsApi();
    api.add(...Array.from({ length: 250 }, (_, index) => eventAt(index)));
    api.failNext('invalid_page_token', 'invalid_page_token');

    const [ids = []] = await skippingWaits(slicesOf(api.client));

    expect(new Set(ids).size).toBe(250);
    expect(ids).toHaveLength(250);
  });

  it('is given up after six failures in a row, with the reason', async () => {
    holdClock();
    const api = new SimulatedEventsApi();
    api.beginOutage('resource_exhausted');

    await expect(skippingWaits(slicesOf(api.client))).rejects.toMatchObject({
      code: 'api_failed',
      message: expect.stringContaining('[resource_exhausted]'),
    });
    expect(api.requests).toBe(6);
  });

  it('is given up if it does not respond', async () => {
    holdClock();
    const client = { events: { listEventsPaginated: () => new Promise<never>(() => {}) } };

    await expect(skippingWaits(slicesOf(client))).rejects.toMatchObject({
      message: expect.stringContaining('no response within 120 s'),
    });
  });

  it('is given up if it returns the same page for ever', async () => {
    holdClock();
    const page = async () => ({ events: [eventAt(1)], nextPageToken: 'same' });

    await expect(skippingWaits(slicesOf({ events: { listEventsPaginated: page } }))).rejects.toMatchObject({
      code: 'api_failed',
    });
  });

  it('is not asked any more once the recovery is interrupted', async () => {
    const api = new SimulatedEventsApi();
    api.beginOutage();
    const controller = new AbortController();

    const reading = readerOf(api.client, controller.signal).slices(WINDOW).next();
    setImmediate(() => controller.abort());

    await expect(reading).rejects.toMatchObject({ code: 'interrupted' });
    expect(api.requests).toBe(1);
  });
});

describe('Reading 100,000 events', () => {
  const COUNT = 100_000;

  it('keeps about 1,000 of them in memory', async () => {
    let [count, largest] = [0, 0];
    let last: ReadEvent | undefined;
    for await (const slice of readerOf(apiWith(COUNT, WINDOW)).slices(WINDOW)) {
      count += slice.length;
      largest = Math.max(largest, slice.length);
      last = slice.at(-1);
    }

    expect(count).toBe(COUNT);
    expect(last?.id).toBe(`evt_${COUNT - 1}`);
    expect(largest).toBeLessThanOrEqual(1000);
  }, 120_000);

  it('and recovering them takes less than 100 MB more than the application needs', async () => {
    // A small heap, as in a small container: V8 lets garbage pile up if it may use gigabytes.
    const { stdout } = await run(process.execPath, ['--max-old-space-size=64', RUNNER, MAIN, String(COUNT)]);

    const { handled, last, moreBytes } = JSON.parse(stdout);
    expect({ handled, last }).toEqual({ handled: COUNT, last: COUNT - 1 });
    expect(moreBytes).toBeLessThan(100_000_000);
  }, 120_000);
});
