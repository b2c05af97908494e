import {
  type InboxStore,
  OnScalekitEvent,
  type ScalekitDelivery,
  type ScalekitEvent,
  ScalekitWebhooksModule,
} from 'nestjs-scalekit-webhooks';
import { createScalekitEvent, ScalekitWebhookTester } from 'nestjs-scalekit-webhooks/testing';
import { runOnExpress } from '../../helpers/running-app.js';
import { SECRET } from '../../helpers/secrets.js';

/** What the handler of the application does. Tests replace it between deliveries. */
export type Work = (eventId: string, delivery: ScalekitDelivery) => Promise<unknown>;

/** An application with one handler, `work`, and an event to deliver to it again and again. */
export interface TransactionApp {
  work: Work;
  readonly eventId: string;
  /** Resolves to the status of the response. */
  deliver(): Promise<number>;
  /** The run of the handler in the inbox, such as `failed TransactionNotCommittedError`. */
  run(): Promise<string>;
}

export async function startTransactionApp(
  inbox: InboxStore,
  work: Work,
  handlerTimeoutMs?: number,
): Promise<TransactionApp> {
  const event = createScalekitEvent('user.created');
  const app: TransactionApp = {
    work,
    eventId: event.id,
    deliver: async () => (await scalekit.deliver(event)).status,
    async run() {
      const entry = await inbox.get({ endpoint: 'default', eventId: event.id });
      const [run] = entry?.runs ?? [];
      return [run?.state, run?.error?.name].filter(Boolean).join(' ');
    },
  };
  class Handlers {
    @OnScalekitEvent('user.created', { id: 'work' })
    handle({ id }: ScalekitEvent<'user.created'>, delivery: ScalekitDelivery) {
      return app.work(id, delivery);
    }
  }
  const nest = await runOnExpress({
    imports: [ScalekitWebhooksModule.forRoot({ signingSecret: SECRET, inbox, handlerTimeoutMs })],
    providers: [Handlers],
  });
  const scalekit = new ScalekitWebhookTester(nest);
  return app;
}
