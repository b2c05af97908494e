import { describe, expect, it } from '@jest/globals';
import type { HandlerReportState, Outcome } from 'nestjs-scalekit-webhooks';
import { aggregateOutcome } from '../../../lib/dispatch/dispatch-result.js';

function conclude(states: readonly HandlerReportState[]): Outcome {
  return aggregateOutcome(states.map((state, number) => ({ handlerId: `Handler.${number}`, state })));
}

// From the strongest claim on the answer to the weakest.
const PRECEDENCE: readonly (readonly [Outcome, readonly HandlerReportState[]])[] = [
  ['failed', ['failed']],
  ['unavailable', ['running', 'overdue', 'not_started']],
  ['unprocessable', ['refused']],
  ['accepted', ['queued']],
  ['processed', ['done']],
  ['duplicate', ['already_done', 'already_dead']],
];

const RANKED = PRECEDENCE.flatMap(([outcome, states]) => states.map((state) => ({ outcome, state })));
const PAIRS = RANKED.flatMap((stronger, rank) =>
  RANKED.slice(rank + 1).map((weaker) => ({ ...stronger, other: weaker.state })),
);

describe('concludeDelivery', () => {
  it('ignores an event without handlers', () => {
    expect(conclude([])).toBe('ignored');
  });

  it.each(RANKED)('concludes $outcome from a handler that is $state', ({ outcome, state }) => {
    expect(conclude([state])).toBe(outcome);
  });

  it.each(PAIRS)(
    'concludes $outcome from $state beside $other, in either order',
    ({ outcome, state, other }) => {
      expect([conclude([state, other]), conclude([other, state])]).toEqual([outcome, outcome]);
    },
  );

  it('acknowledges only where every handler has ended well or for good, or is queued', () => {
    const acknowledged = RANKED.filter(({ state }) =>
      ['processed', 'accepted', 'duplicate'].includes(conclude(['done', state, 'already_done'])),
    );

    expect(acknowledged.map(({ state }) => state)).toEqual([
      'queued',
      'done',
      'already_done',
      'already_dead',
    ]);
  });
});
