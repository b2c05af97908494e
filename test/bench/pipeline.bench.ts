import { MemoryInboxStore, parseSigningSecret, verifyWebhookSignature } from '../../lib/index.js';
import { parseEvent } from '../../lib/parse/parse-event.js';
import { openDispatcher } from './dispatcher-app.js';
import { bodyOf, headersFor } from './events.js';
import { SECRET, TYPICAL_TYPE } from './http/receiver.js';
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
import type { SectionResult } from './section.js';

// The inbox has forgotten an event by the time it is delivered again, so that every delivery is of a new event.
const EVENTS = 4000;
const REMEMBERED = 1000;
const WHOLE = 'verify, parse, claim, handle, settle';

/** From signed bytes to an outcome: everything but HTTP. */
export async function run(options: RoundOptions): Promise<SectionResult> {
  const app = await openDispatcher({ inbox: new MemoryInboxStore({ maxEvents: REMEMBERED }) });
  const deliveries = Array.from({ length: EVENTS }, (_, seed) => {
    const payload = bodyOf(TYPICAL_TYPE, seed);
    return { payload, headers: headersFor(payload) };
  });
  const secrets = parseSigningSecret(SECRET);
  const verify = ({ payload, headers }: Delivery) => verifyWebhookSignature({ payload, headers, secrets });
  const contenders = [
    contender('verify', deliveries, verify),
    contender('verify, parse', deliveries, (delivery) => {
      verify(delivery);
      return parseEvent(delivery.payload, 'strict');
    }),
    contender(WHOLE, deliveries, (delivery) => {
      verify(delivery);
      return app.deliver(delivery.payload);
    }),
  ];
  const timings = await compare(contenders, options);
  await app.close();
  const whole = timingOf(timings, WHOLE);
  const rows = timings.map((timing) => [
    timing.name,
    microseconds(timing),
    spread(timing.samples),
    times(ratio(timing, whole)),
  ]);
  const columns = ['stages', 'µs', 'spread', 'of the whole'];
  return { tables: [{ title: 'The pipeline without HTTP, typical event', columns, rows }], figures: [] };
}

interface Delivery {
  readonly payload: Buffer;
  readonly headers: Record<string, string>;
}

function contender(
  name: string,
  deliveries: readonly Delivery[],
  process: (delivery: Delivery) => unknown,
): Contender {
  let next = 0;
  return {
    name,
    run: () => {
      const delivery = deliveries[next];
      next = (next + 1) % deliveries.length;
      return delivery && process(delivery);
    },
  };
}
