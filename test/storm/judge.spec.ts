import { describe, expect, it } from '@jest/globals';
import type { JournalLine, Step } from './journal.js';
import { type Evidence, judge } from './judge.js';
import { PLAIN } from './storm.settings.js';

const PID = 7;
const OUTAGE = { from: 1000, to: 2000 };

/** The lines of a process about one attempt of the plain handler. */
function anAttempt(attempt: number, steps: readonly Step[], { pid = PID, at = 0 } = {}): JournalLine[] {
  return steps.map((step) => ({ pid, at, step, handlerId: PLAIN, eventId: 'evt_1', attempt }));
}

function verdictOn(attempts: readonly JournalLine[][], evidence: Partial<Evidence> = {}) {
  return judge({
    eventIds: ['evt_1'],
    acknowledged: new Set(['evt_1']),
    lines: attempts.flat(),
    killed: new Set(),
    outages: [],
    ...evidence,
  });
}

const COMPLETE: readonly Step[] = ['begin', 'effect', 'settled'];

describe("The storm's judge", () => {
  it('finds nothing if each effect was made once', () => {
    const failed = anAttempt(1, ['begin', 'settled']);

    expect(verdictOn([failed, anAttempt(2, COMPLETE)], { transactional: new Map([['evt_1', 1]]) })).toEqual({
      lost: [],
      repeatedTransactional: [],
      repeatedPlain: 0,
      cutByKill: 0,
      cutByOutage: 0,
      unexplained: [],
      lapsed: 0,
      unsettled: 0,
    });
  });

  it('finds an acknowledged event lost if it has no effect', () => {
    expect(verdictOn([anAttempt(1, ['begin', 'settled'])])).toMatchObject({ lost: ['evt_1'] });
    expect(verdictOn([anAttempt(1, COMPLETE)], { transactional: new Map() })).toMatchObject({
      lost: ['evt_1'],
    });
  });

  it('does not find an event lost if it was never acknowledged', () => {
    expect(verdictOn([], { acknowledged: new Set() }).lost).toEqual([]);
  });

  it('finds a repeated transactional effect', () => {
    const transactional = new Map([['evt_1', 2]]);

    expect(verdictOn([anAttempt(1, COMPLETE)], { transactional }).repeatedTransactional).toEqual(['evt_1']);
  });

  it('does not accept a repeated effect if every attempt was recorded', () => {
    const verdict = verdictOn([anAttempt(1, COMPLETE), anAttempt(2, COMPLETE)]);

    expect(verdict).toMatchObject({ repeatedPlain: 1, unexplained: ['evt_1'] });
  });

  it('accepts a repeated effect after a kill', () => {
    const verdict = verdictOn([anAttempt(1, ['begin', 'effect']), anAttempt(2, COMPLETE, { pid: 8 })], {
      killed: new Set([PID]),
    });

    expect(verdict).toMatchObject({ repeatedPlain: 1, cutByKill: 1, unexplained: [] });
  });

  it('does not accept a repeated effect after a kill that came before the first effect', () => {
    const cut = anAttempt(1, ['begin']);
    const verdict = verdictOn([cut, anAttempt(2, COMPLETE, { pid: 8 }), anAttempt(3, COMPLETE, { pid: 8 })], {
      killed: new Set([PID]),
    });

    expect(verdict).toMatchObject({ repeatedPlain: 1, cutByKill: 1, unexplained: ['evt_1'] });
  });

  it.each([
    [1500, []],
    [9000, ['evt_1']],
  ])(
    'accepts an attempt that could not be recorded at %d ms only if its store was down',
    (at, unexplained) => {
      const unsettled = anAttempt(1, ['begin', 'effect', 'unsettled'], { at });

      expect(verdictOn([unsettled, anAttempt(2, COMPLETE)], { outages: [OUTAGE] })).toMatchObject({
        unexplained,
      });
    },
  );

  it('does not accept a repeated effect of an attempt that was taken over while it ran', () => {
    const lapsed = anAttempt(1, ['begin', 'effect', 'lapsed']);

    expect(verdictOn([lapsed, anAttempt(2, COMPLETE)])).toMatchObject({ lapsed: 1, unexplained: ['evt_1'] });
  });
});
