import './helpers/timeout.js';
import { expect, it } from '@jest/globals';
import {
  type InboxStore,
  NonRetryableEventError,
  OnScalekitEvent,
  ScalekitWebhooksModule,
} from 'nestjs-scalekit-webhooks';
import { createScalekitEvent, ScalekitWebhookTester } from 'nestjs-scalekit-webhooks/testing';
import { CapturedLogger } from '../helpers/captured-logger.js';
import { runOnExpress } from '../helpers/running-app.js';
import { SECRET } from '../helpers/secrets.js';
import { describeOnEachStore } from './helpers/each-store.js';

const FAILURES: Readonly<Record<string, Error>> = {
  'user.updated': new Error('broken'),
  'user.deleted': new NonRetryableEventError('for good'),
};

/** Loses the first response to each settlement, as when the connection ends after the commit. */
function loseResponses(inbox: InboxStore): { lost: number } {
  const responses = { lost: 0 };
  const answered = new Set<string>();
  const settle = inbox.settle.bind(inbox);
  inbox.settle = async (key, settlements, lease) => {
    const written = await settle(key, settlements, lease);
    if (answered.has(lease.token)) return written;
    answered.add(lease.token);
    responses.lost += 1;
    throw new Error('Connection terminated unexpectedly');
  };
  return responses;
}

await describeOnEachStore('a settlement whose response is lost', (open) => {
  it.each([
    ['user.created', 201, 'done'],
    ['user.updated', 500, 'failed'],
    ['user.deleted', 422, 'dead'],
  ] as const)(
    'of %s is repeated: the answer is %i, and the log reports no lost lease',
    async (type, status, state) => {
      const { inbox } = await open();
      const responses = loseResponses(inbox);
      class Handlers {
        @OnScalekitEvent('user.*', { id: 'handle' })
        async handle(event: { type: string }) {
          if (FAILURES[event.type]) throw FAILURES[event.type];
        }
      }
      const logger = new CapturedLogger();
      const app = await runOnExpress(
        {
          imports: [ScalekitWebhooksModule.forRoot({ signingSecret: SECRET, inbox })],
          providers: [Handlers],
        },
        undefined,
        { logger },
      );
      const event = createScalekitEvent(type);

      expect((await new ScalekitWebhookTester(app).deliver(event)).status).toBe(status);
      expect(await inbox.get({ endpoint: 'default', eventId: event.id })).toMatchObject({
        runs: [{ state, attempts: 1 }],
      });
      expect(responses.lost).toBe(1);
      expect(logger.ours().filter((line) => line.includes('lease_lost'))).toEqual([]);
    },
  );
});
