import { describe, expect, it } from '@jest/globals';
import type { AttemptStep, JournalLine } from './journal.js';
import { judgeOrder } from './judge.order.js';
import { ORDERED, runKey } from './storm.settings.js';

const OLDER = 'evt_older';
const NEWER = 'evt_newer';
const OTHER = 'evt_other';
const EVENTS = [
  { id: NEWER, entity: 'role:1', occurredAt: 2 },
  { id: OLDER, entity: 'role:1', occurredAt: 1 },
  { id: OTHER, entity: 'role:2', occurredAt: 3 },
];
const NEWER_RUN = runKey(ORDERED, NEWER);

/** The lines of an attempt, by the time of each step. */
function anAttempt(
  eventId: string,
  attempt: number,
  steps: Partial<Record<AttemptStep, number>>,
  pid = 1,
): JournalLine[] {
  return Object.entries(steps).map(([step, at]) => ({
    pid,
    at,
    step: step as AttemptStep,
    handlerId: ORDERED,
    eventId,
    attempt,
  }));
}

/** @param arrived when each event was acknowledged */
function verdictOn(attempts: JournalLine[][], handled: string[], arrived: Record<string, number> = {}) {
  const acknowledged = new Map(Object.entries({ [OLDER]: 0, [NEWER]: 0, [OTHER]: 0, ...arrived }));
  return judgeOrder({ events: EVENTS, acknowledged, lines: attempts.flat(), handled });
}

describe("The storm's judge of order", () => {
  const first = anAttempt(OLDER, 1, { taken: 10, begin: 11, committing: 12, settling: 13 });
  const second = anAttempt(NEWER, 1, { taken: 14, begin: 15, committing: 16, settling: 17 });

  it('finds nothing if the events of an entity were handled one at a time, oldest first', () => {
    const other = anAttempt(OTHER, 1, { taken: 10, begin: 11, committing: 16, settling: 17 });

    expect(verdictOn([first, second, other], [OLDER, OTHER, NEWER])).toEqual({
      overlapping: [],
      overtaking: [],
      late: 0,
      pairs: 1,
    });
  });

  it.each([
    ['settled', { taken: 10, begin: 11, committing: 12, settling: 16 }],
    ['about to commit', { taken: 10, begin: 11, committing: 16 }],
  ])('finds a run that began before the one before it was %s', (_state, steps) => {
    expect(verdictOn([anAttempt(OLDER, 1, steps, 2), second], [OLDER, NEWER]).overlapping).toEqual([
      NEWER_RUN,
    ]);
  });

  it('accepts that a run began after the process of the one before it was killed', () => {
    const killed = anAttempt(OLDER, 1, { taken: 5, begin: 6 });
    const again = anAttempt(OLDER, 2, { taken: 10, begin: 11, committing: 12, settling: 13 }, 2);

    expect(verdictOn([killed, again, second], [OLDER, NEWER])).toMatchObject({
      overlapping: [],
      overtaking: [],
    });
  });

  it('accepts an overlap after the lease of the one before it has ended', () => {
    const hanging = anAttempt(OLDER, 1, { taken: 10, begin: 11, settling: 9000 });
    const next = anAttempt(OLDER, 2, { taken: 3010, begin: 3011, committing: 3012, settling: 3013 }, 2);

    expect(verdictOn([hanging, next], [OLDER]).overlapping).toEqual([]);
  });

  it('finds a newer run that was taken while an older one waited', () => {
    const late = anAttempt(OLDER, 1, { taken: 20, begin: 21, committing: 22, settling: 23 });

    expect(verdictOn([second, late], [NEWER, OLDER])).toMatchObject({ overtaking: [NEWER_RUN], late: 0 });
  });

  it('accepts a newer run that was taken before the older one arrived', () => {
    const late = anAttempt(OLDER, 1, { taken: 20, begin: 21, committing: 22, settling: 23 });

    expect(verdictOn([second, late], [NEWER, OLDER], { [OLDER]: 14 })).toMatchObject({
      overtaking: [],
      late: 1,
    });
  });

  it('finds an attempt at a newer run while an older one waits to be retried, even if it failed', () => {
    const failed = anAttempt(OLDER, 1, { taken: 1, begin: 2, settling: 3 });
    const overtaking = anAttempt(NEWER, 1, { taken: 4, begin: 5, settling: 6 });
    const again = anAttempt(OLDER, 2, { taken: 10, begin: 11, committing: 12, settling: 13 });
    const last = anAttempt(NEWER, 2, { taken: 14, begin: 15, committing: 16, settling: 17 });

    expect(verdictOn([failed, overtaking, again, last], [OLDER, NEWER]).overtaking).toEqual([NEWER_RUN]);
    expect(verdictOn([failed, again, last], [OLDER, NEWER]).overtaking).toEqual([]);
  });

  it('finds effects that were committed in another order than their attempts began', () => {
    expect(verdictOn([first, second], [NEWER, OLDER]).overtaking).toEqual([NEWER_RUN]);
  });
});
