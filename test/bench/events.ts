import type { ScalekitEventType } from '../../lib/index.js';
import { createScalekitEvent, signWebhook } from '../../lib/testing/index.js';
import { SECRET, TYPICAL_TYPE } from './http/receiver.js';

const ID = /"id":"evt_(\d+)"/;
const VARIED_DIGITS = 9;

/** The body of an event. Each seed makes a different event. */
export function bodyOf(type: ScalekitEventType, seed = 1): Buffer {
  return Buffer.from(JSON.stringify(createScalekitEvent(type, {}, { seed })));
}

/**
 * Makes bodies of the typical event that differ only in the event's id, each in the same short time.
 *
 * @param padding how many bytes to add to each
 */
export function distinctEvents(padding = 0): () => Buffer {
  const body = bodyOf(TYPICAL_TYPE).toString();
  const text = padding === 0 ? body : body.replace(/}$/, `,"padding":"${'x'.repeat(padding)}"}`);
  const template = Buffer.from(text);
  const digits = ID.exec(text)?.[1] ?? '';
  const end = text.indexOf(digits) + digits.length;
  let number = 0;
  return () => {
    const distinct = Buffer.from(template);
    number += 1;
    distinct.write(String(number).padStart(VARIED_DIGITS, '0'), end - VARIED_DIGITS);
    return distinct;
  };
}

/** The headers of a delivery, with those that the sender's HTTP client and a proxy add. */
export function headersFor(payload: Buffer): Record<string, string> {
  return {
    'user-agent': 'Go-http-client/2.0',
    accept: '*/*',
    'accept-encoding': 'gzip',
    'content-type': 'application/json',
    ...signWebhook({ payload, secret: SECRET }),
    'x-forwarded-for': '203.0.113.7',
    'x-forwarded-proto': 'https',
  };
}
