import { MemoryInboxStore, verifyWebhookSignature } from '../../lib/index.js';
import { parseEvent } from '../../lib/parse/parse-event.js';
import { parseSigningSecret } from '../../lib/verify/signing-secret.js';
import { SECRET } from '../helpers/secrets.js';
import { openDispatcher } from './dispatcher.app.js';
import { bodyOf, headersFor, TYPICAL_TYPE } from './events.js';
import { type Contender, compare, ratio, timingOf } from './rounds.js';
import type { Section } from './section.js';
import { microseconds, spread, times } from './text.js';

// An inbox that has forgotten an event when its turn comes again: each delivery is of a new event.
const EVENTS = 4000;
const REMEMBERED = 1000;

/** Signed bytes in, handler called, outcome out: everything but HTTP. */
export const PIPELINE: Section = {
  name: 'pipeline',
  async run(thoroughness) {
    const app = await openDispatcher({ inbox: new MemoryInboxStore({ maxEvents: REMEMBERED }) });
    const deliveries = Array.from({ length: EVENTS }, (_, seed) => bodyOf(TYPICAL_TYPE, seed)).map(
      (payload) => ({ payload, headers: headersFor(payload) }),
    );
    const secrets = parseSigningSecret(SECRET);
    const verify = ({ payload, headers }: Delivery) => verifyWebhookSignature({ payload, headers, secrets });
    const contenders = [
      contender('verify', deliveries, verify),
      contender('verify, parse', deliveries, (delivery) => {
        verify(delivery);
        return parseEvent(delivery.payload, 'strict');
      }),
      contender('verify, parse, claim, handle, settle', deliveries, (delivery) => {
        verify(delivery);
        return app.deliver(delivery.payload);
      }),
    ];
    const timings = await compare(contenders, thoroughness);
    await app.close();
    const whole = timingOf(timings, 'verify, parse, claim, handle, settle');
    const rows = timings.map((timing) => [
      timing.name,
      microseconds(timing),
      spread(timing),
      times(ratio(timing, whole)),
    ]);
    const columns = ['stages', 'µs', 'spread', 'of the whole'];
    return { tables: [{ title: 'The pipeline without HTTP, typical event', columns, rows }], goals: [] };
  },
};

interface Delivery {
  readonly payload: Buffer;
  readonly headers: Record<string, string>;
}

function contender(
  name: string,
  deliveries: readonly Delivery[],
  run: (delivery: Delivery) => unknown,
): Contender {
  let next = 0;
  return {
    name,
    run: () => {
      const delivery = deliveries[next];
      next = (next + 1) % deliveries.length;
      return delivery && run(delivery);
    },
  };
}
