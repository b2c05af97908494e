import { describe, expect, it, jest } from '@jest/globals';
import { createScalekitEvent, SimulatedEventsApi } from 'nestjs-scalekit-webhooks/testing';
import { holdDate } from '../../helpers/clock.js';
import { MINUTE, startRecoveryApp } from './recovery-app.js';

const NOON = Date.UTC(2026, 0, 31, 12);
const SECOND = 1000;

/** An event every 20 seconds from a time on, none of which arrives. Three in a row happened at the same time. */
function eventsFrom(from: number, count: number) {
  return Array.from({ length: count }, (_, index) =>
    createScalekitEvent('user.created', {
      id: `evt_${index}`,
      occurred_at: new Date(from + (index - (index % 3)) * 20 * SECOND).toISOString(),
    }),
  );
}

/** Recovers every ten minutes by the clock of Scalekit, while that of the application is ahead of it, or behind. */
async function recoverFourTimes(aheadMs: number, visibleAfterMs: number): Promise<readonly string[]> {
  holdDate();
  let now = NOON;
  const api = new SimulatedEventsApi(visibleAfterMs > 0 ? { visibleAfterMs } : {});
  const client = {
    events: {
      listEventsPaginated(...request: Parameters<typeof api.client.events.listEventsPaginated>) {
        jest.setSystemTime(now);
        const page = api.client.events.listEventsPaginated(...request);
        jest.setSystemTime(now + aheadMs);
        return page;
      },
    },
  };
  api.add(...eventsFrom(NOON - 10 * MINUTE, 90));
  jest.setSystemTime(now + aheadMs);
  const { recovery, handled } = await startRecoveryApp({ options: { client } });
  for (; now <= NOON + 30 * MINUTE; now += 10 * MINUTE) {
    jest.setSystemTime(now + aheadMs);
    await recovery.recover();
  }
  return handled;
}

describe('Recoveries miss nothing and repeat nothing', () => {
  it.each([
    ['events become visible 90 s late', 0, 90 * SECOND],
    ['the clock is 4 minutes ahead', 4 * MINUTE, 0],
    ['the clock is 4 minutes behind', -4 * MINUTE, 0],
    ['the clock is 4 minutes ahead, and events become visible 90 s late', 4 * MINUTE, 90 * SECOND],
    ['the clock is 4 minutes behind, and events become visible 90 s late', -4 * MINUTE, 90 * SECOND],
  ])('if %s', async (_, aheadMs, visibleAfterMs) => {
    const handled = await recoverFourTimes(aheadMs, visibleAfterMs);

    expect(handled).toHaveLength(90);
    expect(new Set(handled).size).toBe(90);
  });
});
