import { describe, expect, it } from '@jest/globals';
import type { AttemptStep, JournalLine } from './journal.js';
import { type Evidence, judge } from './judge.js';
import {
  CREATING,
  ORDERED,
  PLAIN,
  REFUSING,
  runKey,
  SWALLOWING,
  TRANSACTIONAL,
  UPDATING,
} from './storm.settings.js';

const PID = 7;
const OTHER_PID = 8;
const OUTAGE = { from: 1000, to: 2000 };
const ID = 'evt_1';
const PLAIN_RUN = runKey(PLAIN, ID);

interface Attempt {
  readonly pid?: number;
  readonly at?: number;
  readonly handlerId?: string;
}

/** The lines of a process about one attempt. */
function anAttempt(
  attempt: number,
  steps: readonly AttemptStep[],
  { pid = PID, at = 0, handlerId = PLAIN }: Attempt = {},
): JournalLine[] {
  return steps.map((step) => ({ pid, at, step, handlerId, eventId: ID, attempt }));
}

function verdictOn(attempts: readonly JournalLine[][], evidence: Partial<Evidence> = {}) {
  return judge({
    events: [{ id: ID, type: 'role.created', occurredAt: 0 }],
    acknowledged: new Map([[ID, 0]]),
    lines: attempts.flat(),
    dead: [],
    killed: new Map(),
    outages: [],
    ...evidence,
  });
}

/** The effects of the transactional handlers. */
function effects(transactional: number, swallowing: number): Map<string, number> {
  const counts = new Map([
    [runKey(TRANSACTIONAL, ID), transactional],
    [runKey(SWALLOWING, ID), swallowing],
  ]);
  return new Map([...counts].filter(([, times]) => times > 0));
}

const COMPLETE = ['begin', 'effect', 'settling', 'settled'] as const;
const FAILED = ['begin', 'settling', 'settled'] as const;
const UNSETTLED = ['begin', 'effect', 'settling', 'unsettled'] as const;

describe("The storm's judge", () => {
  it('finds nothing if each effect was made once', () => {
    const attempts = [anAttempt(1, FAILED), anAttempt(2, COMPLETE)];

    expect(verdictOn(attempts, { transactional: effects(1, 1) })).toEqual({
      lost: [],
      repeatedTransactional: [],
      repeatedPlain: 0,
      cutByKill: 0,
      cutByOutage: 0,
      unexplained: [],
      lapsed: 0,
      unsettled: 0,
      refused: 0,
      deadByAccident: [],
      faults: 0,
      swallowed: 0,
      early: 0,
      overlapping: [],
      overtaking: [],
      late: 0,
      pairs: 0,
    });
  });

  it('finds a run of the handler that keeps an order lost if it has no effect', () => {
    expect(verdictOn([anAttempt(1, COMPLETE)], { transactional: effects(1, 1), handled: [] }).lost).toEqual([
      runKey(ORDERED, ID),
    ]);
  });

  it('finds a run of an acknowledged event lost if it has no effect', () => {
    expect(verdictOn([anAttempt(1, FAILED)]).lost).toEqual([PLAIN_RUN]);
  });

  it.each([
    ['transactional', effects(0, 1), TRANSACTIONAL],
    ['swallowing', effects(1, 0), SWALLOWING],
  ])('finds a run of the %s handler lost if it has no effect', (_, transactional, handlerId) => {
    const swallowed = anAttempt(1, ['begin', 'swallowed', 'settling', 'settled'], { handlerId });

    expect(verdictOn([anAttempt(1, COMPLETE), swallowed], { transactional })).toMatchObject({
      lost: [runKey(handlerId, ID)],
      swallowed: 1,
    });
  });

  it.each([
    ['user.created', CREATING],
    ['user.updated', UPDATING],
  ])('finds a run of %s lost if its own handler has no effect', (type, handlerId) => {
    const events = [{ id: ID, type, occurredAt: 0 }];
    const early = anAttempt(1, ['begin', 'early', 'settling', 'settled'], { handlerId });
    const handled = anAttempt(2, COMPLETE, { handlerId });

    expect(verdictOn([anAttempt(1, COMPLETE), early], { events })).toMatchObject({
      lost: [runKey(handlerId, ID)],
      early: 1,
    });
    expect(verdictOn([anAttempt(1, COMPLETE), early, handled], { events })).toMatchObject({
      lost: [],
      early: 1,
    });
  });

  it('does not find an event lost if it was never acknowledged', () => {
    expect(verdictOn([], { acknowledged: new Map() }).lost).toEqual([]);
  });

  it('finds dead runs, except those of the handler that refuses every event', () => {
    const dead = [PLAIN, REFUSING].map((handlerId) => ({ handlerId, eventId: ID }));

    expect(verdictOn([anAttempt(1, COMPLETE)], { dead })).toMatchObject({
      deadByAccident: [PLAIN_RUN],
      refused: 1,
    });
  });

  it('finds a repeated transactional effect', () => {
    expect(
      verdictOn([anAttempt(1, COMPLETE)], { transactional: effects(1, 2) }).repeatedTransactional,
    ).toEqual([runKey(SWALLOWING, ID)]);
  });

  it('does not accept a repeated effect if every attempt was recorded', () => {
    const verdict = verdictOn([anAttempt(1, COMPLETE), anAttempt(2, COMPLETE)]);

    expect(verdict).toMatchObject({ repeatedPlain: 1, unexplained: [PLAIN_RUN] });
  });

  it.each([
    ['before its end is recorded', ['begin', 'effect']],
    ['while its end is recorded', ['begin', 'effect', 'settling']],
  ] as const)('accepts a repeated effect of an attempt that is killed %s', (_, steps) => {
    const verdict = verdictOn([anAttempt(1, steps), anAttempt(2, COMPLETE, { pid: OTHER_PID })], {
      killed: new Map([[PID, 9000]]),
    });

    expect(verdict).toMatchObject({ repeatedPlain: 1, cutByKill: 1, unexplained: [] });
  });

  it('does not accept a repeated effect after a kill that came before the first effect', () => {
    const attempts = [
      anAttempt(1, ['begin']),
      anAttempt(2, COMPLETE, { pid: OTHER_PID }),
      anAttempt(3, COMPLETE, { pid: OTHER_PID }),
    ];

    expect(verdictOn(attempts, { killed: new Map([[PID, 0]]) })).toMatchObject({
      repeatedPlain: 1,
      cutByKill: 1,
      unexplained: [PLAIN_RUN],
    });
  });

  it.each([
    ['between two tries', 5500, []],
    ['long after the last try', 9000, [PLAIN_RUN]],
  ])('accepts an attempt that could not be recorded and is killed %s', (_, killedAt, unexplained) => {
    const attempts = [anAttempt(1, UNSETTLED, { at: 5000 }), anAttempt(2, COMPLETE, { pid: OTHER_PID })];

    expect(verdictOn(attempts, { killed: new Map([[PID, killedAt]]) })).toMatchObject({ unexplained });
  });

  it.each([
    [1500, []],
    [9000, [PLAIN_RUN]],
  ])(
    'accepts an attempt that could not be recorded at %d ms only if its store was down',
    (at, unexplained) => {
      const attempts = [anAttempt(1, UNSETTLED, { at }), anAttempt(2, COMPLETE)];

      expect(verdictOn(attempts, { outages: [OUTAGE] })).toMatchObject({ unexplained });
    },
  );

  it('counts an attempt as recorded if a later try recorded it', () => {
    const retried = anAttempt(1, [...UNSETTLED, 'settling', 'settled']);

    expect(verdictOn([retried])).toMatchObject({ unsettled: 0 });
    expect(verdictOn([retried, anAttempt(2, COMPLETE)])).toMatchObject({ unexplained: [PLAIN_RUN] });
  });

  it('does not accept a repeated effect of an attempt that was taken over while it ran', () => {
    const lapsed = anAttempt(1, ['begin', 'effect', 'settling', 'lapsed']);

    expect(verdictOn([lapsed, anAttempt(2, COMPLETE)])).toMatchObject({
      lapsed: 1,
      unexplained: [PLAIN_RUN],
    });
  });
});
