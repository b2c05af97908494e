import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { LogThrottle } from '../../../lib/dispatch/handler-failure.js';
import { holdClock } from '../../helpers/clock.js';

const INTERVAL_MS = 10_000;

describe('a throttled log', () => {
  let lines: string[];
  let throttle: LogThrottle;

  beforeEach(() => {
    holdClock();
    lines = [];
    throttle = new LogThrottle();
  });

  const write = (cause: string, line = cause) =>
    throttle.write(cause, (note) => lines.push(`${line}${note}`));

  it('writes the first line of a cause at once, and the last one with a count after 10 seconds', () => {
    for (let count = 1; count <= 1000; count += 1) write('refused', `refused for evt_${count}`);
    expect(lines).toEqual(['refused for evt_1']);

    jest.advanceTimersByTime(INTERVAL_MS);
    expect(lines.slice(1)).toEqual(['refused for evt_1000 (the last of 999 such lines in 10 s)']);
  });

  it('writes one line per interval for as long as the cause lasts', () => {
    for (let seconds = 0; seconds < 60; seconds += 1) {
      write('refused');
      jest.advanceTimersByTime(1000);
    }

    expect(lines).toHaveLength(7);
  });

  it('hides no other cause', () => {
    write('refused');
    write('timed out');

    expect(lines).toEqual(['refused', 'timed out']);
  });

  it('writes a line at once again after an interval without one', () => {
    write('refused');
    jest.advanceTimersByTime(INTERVAL_MS);
    write('refused');

    expect(lines).toEqual(['refused', 'refused']);
  });

  it('stays bounded if every line has another cause', () => {
    for (let count = 0; count < 10_000; count += 1) write(`cause ${count}`);
    expect(lines.length).toBeLessThan(100);

    jest.advanceTimersByTime(INTERVAL_MS);
    expect(lines.at(-1)).toMatch(/the last of 9949 such lines/);
  });
});
