import { describe, expect, it } from '@jest/globals';
import type { HandlerReportState, Outcome } from 'nestjs-scalekit-webhooks';
import { aggregateOutcome } from '../../../lib/dispatch/received-event.js';

function outcomeOf(states: readonly HandlerReportState[]): Outcome {
  return aggregateOutcome(states.map((state, number) => ({ handlerId: `Handler.${number}`, state })));
}

// Highest precedence first.
const PRECEDENCE: readonly (readonly [Outcome, readonly HandlerReportState[]])[] = [
  ['failed', ['failed']],
  ['unavailable', ['running', 'overdue', 'not_started']],
  ['unprocessable', ['refused']],
  ['accepted', ['queued']],
  ['processed', ['done']],
  ['dead', ['already_dead']],
  ['duplicate', ['already_done']],
];

const RANKED = PRECEDENCE.flatMap(([outcome, states]) => states.map((state) => ({ outcome, state })));
const PAIRS = RANKED.flatMap((stronger, rank) =>
  RANKED.slice(rank + 1).map((weaker) => ({ ...stronger, other: weaker.state })),
);

describe('aggregateOutcome', () => {
  it('is ignored without handlers', () => {
    expect(outcomeOf([])).toBe('ignored');
  });

  it.each(RANKED)('is $outcome for a handler that is $state', ({ outcome, state }) => {
    expect(outcomeOf([state])).toBe(outcome);
  });

  it.each(PAIRS)('is $outcome for $state and $other, in either order', ({ outcome, state, other }) => {
    expect([outcomeOf([state, other]), outcomeOf([other, state])]).toEqual([outcome, outcome]);
  });

  it('acknowledges only if every handler is done, dead or queued', () => {
    const acknowledged = RANKED.filter(({ state }) =>
      ['processed', 'accepted', 'dead', 'duplicate'].includes(outcomeOf(['done', state, 'already_done'])),
    );

    expect(acknowledged.map(({ state }) => state)).toEqual([
      'queued',
      'done',
      'already_dead',
      'already_done',
    ]);
  });
});
