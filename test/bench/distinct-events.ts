import { bodyOf, TYPICAL_TYPE } from './events.js';

const ID = /"id":"evt_(\d+)"/;
const SPARE_DIGITS = 9;

/** Bodies of the typical event that differ in the event's id alone, in constant time each. */
export function distinctEvents(padding = 0): () => Buffer {
  const body = bodyOf(TYPICAL_TYPE);
  const text =
    padding === 0 ? body.toString() : body.toString().replace(/}$/, `,"padding":"${'x'.repeat(padding)}"}`);
  const template = Buffer.from(text);
  const digits = ID.exec(text)?.[1] ?? '';
  const end = text.indexOf(digits) + digits.length;
  let number = 0;
  return () => {
    const distinct = Buffer.from(template);
    number += 1;
    distinct.write(String(number).padStart(SPARE_DIGITS, '0'), end - SPARE_DIGITS);
    return distinct;
  };
}
