import { DeliveryRefusedError } from '../errors/delivery-refused.error.js';
import type { ScalekitEvent } from '../events/scalekit-event.types.js';
import { MESSAGES } from '../scalekit-webhooks.messages.js';

/** @throws DeliveryRefusedError for an event of an environment that the endpoint does not take */
export function requireEnvironment(
  { environment_id: found }: ScalekitEvent<'*'>,
  expected: ReadonlySet<string> | undefined,
): void {
  if (expected === undefined || expected.has(found ?? '')) return;
  throw new DeliveryRefusedError('wrong_environment', MESSAGES.wrongEnvironment);
}
