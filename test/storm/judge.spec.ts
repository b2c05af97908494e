import { describe, expect, it } from '@jest/globals';
import type { JournalLine, Step } from './journal.js';
import { type Evidence, judge } from './judge.js';
import { PLAIN } from './storm.settings.js';

const PID = 7;
const OUTAGE = { from: 1000, to: 2000 };

/** What a process wrote of one run of the plain handler. */
function aRun(attempt: number, steps: readonly Step[], { pid = PID, at = 0 } = {}): JournalLine[] {
  return steps.map((step) => ({ pid, at, step, handlerId: PLAIN, eventId: 'evt_1', attempt }));
}

function verdictOn(runs: readonly JournalLine[][], evidence: Partial<Evidence> = {}) {
  return judge({
    eventIds: ['evt_1'],
    acknowledged: new Set(['evt_1']),
    lines: runs.flat(),
    killed: new Set(),
    outages: [],
    ...evidence,
  });
}

const COMPLETE: readonly Step[] = ['begin', 'effect', 'settled'];

describe("The storm's judge", () => {
  it('finds nothing where each effect was made once', () => {
    const failed = aRun(1, ['begin', 'settled']);

    expect(verdictOn([failed, aRun(2, COMPLETE)], { transactional: new Map([['evt_1', 1]]) })).toEqual({
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

  it('finds an event without an effect lost', () => {
    expect(verdictOn([aRun(1, ['begin', 'settled'])])).toMatchObject({ lost: ['evt_1'] });
    expect(verdictOn([aRun(1, COMPLETE)], { transactional: new Map() })).toMatchObject({ lost: ['evt_1'] });
  });

  it('does not count an event as lost that was never acknowledged', () => {
    expect(verdictOn([], { acknowledged: new Set() }).lost).toEqual([]);
  });

  it('finds a transactional effect that is there twice', () => {
    const transactional = new Map([['evt_1', 2]]);

    expect(verdictOn([aRun(1, COMPLETE)], { transactional }).repeatedTransactional).toEqual(['evt_1']);
  });

  it('does not accept a repeated effect of runs that all got to their record', () => {
    const verdict = verdictOn([aRun(1, COMPLETE), aRun(2, COMPLETE)]);

    expect(verdict).toMatchObject({ repeatedPlain: 1, unexplained: ['evt_1'] });
  });

  it('accepts a repeated effect after a kill', () => {
    const verdict = verdictOn([aRun(1, ['begin', 'effect']), aRun(2, COMPLETE, { pid: 8 })], {
      killed: new Set([PID]),
    });

    expect(verdict).toMatchObject({ repeatedPlain: 1, cutByKill: 1, unexplained: [] });
  });

  it('does not accept one after a kill that came before the effect', () => {
    const cut = aRun(1, ['begin']);
    const verdict = verdictOn([cut, aRun(2, COMPLETE, { pid: 8 }), aRun(3, COMPLETE, { pid: 8 })], {
      killed: new Set([PID]),
    });

    expect(verdict).toMatchObject({ repeatedPlain: 1, cutByKill: 1, unexplained: ['evt_1'] });
  });

  it.each([
    [1500, []],
    [9000, ['evt_1']],
  ])('accepts a run that could not be recorded at %d only if its store was down', (at, unexplained) => {
    const unsettled = aRun(1, ['begin', 'effect', 'unsettled'], { at });

    expect(verdictOn([unsettled, aRun(2, COMPLETE)], { outages: [OUTAGE] })).toMatchObject({ unexplained });
  });

  it('does not accept a repeated effect of a run that was taken over while it ran', () => {
    const lapsed = aRun(1, ['begin', 'effect', 'lapsed']);

    expect(verdictOn([lapsed, aRun(2, COMPLETE)])).toMatchObject({ lapsed: 1, unexplained: ['evt_1'] });
  });
});
