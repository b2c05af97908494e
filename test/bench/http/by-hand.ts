import { Scalekit } from '@scalekit-sdk/node';
import { SECRET } from '../../helpers/secrets.js';
import { TYPICAL_TYPE } from '../events.js';
import { handleEvent } from './handled.js';

const sdk = new Scalekit('https://example.scalekit.dev', 'skc_1', 'none');

/** As Scalekit's guide verifies. */
export function isAuthentic(headers: NodeJS.Dict<string | string[]>, payload: string): boolean {
  return sdk.verifyWebhookPayload(SECRET, headers as Record<string, string>, payload);
}

/** As Scalekit's guide dispatches, without its log lines. */
export async function dispatchByHand(event: { readonly type: string }): Promise<void> {
  switch (event.type) {
    case 'user.created':
    case 'user.updated':
    case 'organization.created':
    case 'membership.created':
      break;
    case TYPICAL_TYPE:
      await handleEvent(event);
      break;
  }
}
