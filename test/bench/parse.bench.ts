import { plainToInstance } from 'class-transformer';
import { validate } from 'class-validator';
import { DirectoryUserCreatedEvent, PermissionCreatedEvent } from '../../lib/index.js';
import { parseEvent } from '../../lib/parse/parse-event.js';
import { bodyOf } from './events.js';
import { TYPICAL_TYPE } from './http/receiver.js';
import {
  type Contender,
  compare,
  microseconds,
  type RoundOptions,
  ratio,
  spread,
  times,
  timingOf,
} from './measure.js';
import type { Figure, SectionResult } from './section.js';

const EVENTS = [
  { size: 'smallest', type: 'permission.created', dtoClass: PermissionCreatedEvent },
  // The largest one has only one byte more.
  { size: 'typical', type: TYPICAL_TYPE, dtoClass: DirectoryUserCreatedEvent },
] as const;
const PIPE = 'JSON.parse, plainToInstance, validate';

/** From the bytes of a verified delivery to a validated DTO. */
export async function run(options: RoundOptions): Promise<SectionResult> {
  const rows: string[][] = [];
  const figures: Figure[] = [];
  for (const { size, type, dtoClass } of EVENTS) {
    const bytes = bodyOf(type);
    const timings = await compare(contenders(bytes, dtoClass), options);
    const pipe = timingOf(timings, PIPE);
    if (size === 'typical') {
      figures.push({
        name: 'parse a typical event, relative to Nest’s pipe',
        measured: ratio(timingOf(timings, 'ours'), pipe),
        atMost: 0.6,
      });
    }
    const event = `${size}: ${type}, ${bytes.length} bytes`;
    for (const timing of timings) {
      const relative = times(ratio(timing, pipe));
      rows.push([event, timing.name, microseconds(timing), spread(timing.samples), relative]);
    }
  }
  const columns = ['event', 'way', 'µs', 'spread', 'relative to Nest’s pipe'];
  return { tables: [{ title: 'Parse and validate', columns, rows }], figures };
}

function contenders(bytes: Buffer, dtoClass: new () => object): Contender[] {
  return [
    { name: 'JSON.parse alone', run: () => JSON.parse(bytes.toString()) },
    {
      name: PIPE,
      run: async () => {
        const event: object = plainToInstance(dtoClass, JSON.parse(bytes.toString()));
        // The options of Nest's ValidationPipe.
        return validate(event, { forbidUnknownValues: false });
      },
    },
    { name: 'ours', run: () => parseEvent(bytes, 'strict') },
  ];
}
