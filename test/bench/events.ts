import { SCALEKIT_EVENT_TYPES, type ScalekitEventType } from '../../lib/index.js';
import { createScalekitEvent, signWebhook } from '../../lib/testing/index.js';
import { SECRET } from '../helpers/secrets.js';

/** The event that most figures are about: a directory's user, with groups, roles and attributes. */
export const TYPICAL_TYPE = 'organization.directory.user_created' satisfies ScalekitEventType;

/** The smallest, the typical and the largest event, by the bytes of its body. */
export function eventsBySize(): readonly { readonly size: string; readonly type: ScalekitEventType }[] {
  const bySize = SCALEKIT_EVENT_TYPES.toSorted((a, b) => bodyOf(a).length - bodyOf(b).length);
  return [
    { size: 'smallest', type: bySize[0] ?? TYPICAL_TYPE },
    { size: 'typical', type: TYPICAL_TYPE },
    { size: 'largest', type: bySize.at(-1) ?? TYPICAL_TYPE },
  ];
}

/** The body of an event; each seed makes another event. */
export function bodyOf(type: ScalekitEventType, seed = 1): Buffer {
  return Buffer.from(JSON.stringify(createScalekitEvent(type, {}, { seed })));
}

/** The headers of a delivery, with those that a sender and a proxy add. */
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
