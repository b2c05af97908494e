import { plainToInstance } from 'class-transformer';
import { validate } from 'class-validator';
import type { ScalekitEventType } from '../../lib/index.js';
import { eventClassFor } from '../../lib/parse/hydrate-event.js';
import { parseEvent } from '../../lib/parse/parse-event.js';
import { bodyOf, eventsBySize } from './events.js';
import { type Contender, compare, ratio, timingOf } from './rounds.js';
import type { Goal, Section } from './section.js';
import { microseconds, spread, times } from './text.js';

const PIPE = 'JSON.parse, plainToInstance, validate';

/** From the bytes of a verified delivery to a DTO that was checked. */
export const PARSE: Section = {
  name: 'parse',
  async run(thoroughness) {
    const rows: string[][] = [];
    const goals: Goal[] = [];
    for (const { size, type } of eventsBySize()) {
      const all = await compare(contenders(type), thoroughness);
      const [pipe, ours] = [timingOf(all, PIPE), timingOf(all, 'ours')];
      if (size === 'typical') {
        goals.push({
          figure: 'parse a typical event, against Nest’s pipe',
          measured: ratio(ours, pipe),
          atMost: 0.6,
        });
      }
      const event = `${size}: ${type}, ${bodyOf(type).length} bytes`;
      for (const timing of all) {
        rows.push([event, timing.name, microseconds(timing), spread(timing), times(ratio(timing, pipe))]);
      }
    }
    const columns = ['event', 'way', 'µs', 'spread', 'against Nest’s pipe'];
    return { tables: [{ title: 'Parse and validate', columns, rows }], goals };
  },
};

function contenders(type: ScalekitEventType): Contender[] {
  const bytes = bodyOf(type);
  const eventClass = eventClassFor(type);
  return [
    { name: 'JSON.parse alone', run: () => JSON.parse(bytes.toString()) },
    {
      name: PIPE,
      run: async () => {
        const event = plainToInstance(eventClass, JSON.parse(bytes.toString()));
        // As Nest's ValidationPipe calls it.
        return validate(event, { forbidUnknownValues: false });
      },
    },
    { name: 'ours', run: () => parseEvent(bytes, 'strict') },
  ];
}
