import type { Command } from 'commander';
import { Pace } from '../dispatch/timeout.js';
import { PayloadUnreadableError } from '../errors/errors.js';
import { sanitizeLine } from '../errors/safe-text.js';
import type { InboxEntry } from '../inbox/inbox-queries.js';
import type { InboxStore } from '../inbox/inbox-store.js';
import { replayRequestId } from '../verify/signature-headers.js';
import { SECRET_VARIABLE } from '../verify/signing-secret.js';
import { CLI_MESSAGES } from './cli.messages.js';
import type { CliContext, CliIo } from './cli-io.js';
import {
  addFilterOptions,
  addStoreOptions,
  CliFailureError,
  collect,
  DEFAULT_ENDPOINT,
  DEFAULT_URL,
  findSigningSecret,
  INBOX_URL_VARIABLE,
  type InboxFilterOptions,
  type InboxStoreOptions,
  parseHttpUrl,
  parsePositiveInteger,
  parseRate,
  readEntries,
  requireEvents,
} from './cli-io.js';
import { INBOX_KEYS_VARIABLE, withInbox } from './open-inbox.js';
import {
  DeliveryReport,
  type DeliveryResponse,
  type DeliveryTarget,
  type EndpointAnswer,
  forEachConcurrently,
  sendDelivery,
} from './send-delivery.js';

interface ReplayCommandOptions extends InboxStoreOptions, InboxFilterOptions {
  readonly endpoint: string;
  readonly handler?: readonly string[];
  readonly rate?: number;
  readonly url: URL;
  readonly secret?: string;
}

const DEFAULT_LIMIT = 1000;
const CONCURRENCY = 4;
const NOT_DECRYPTED = CLI_MESSAGES.payloadNotDecrypted(INBOX_KEYS_VARIABLE);

/** `inbox replay`: asks the application to handle stored events again. */
export function addInboxReplayCommand(inbox: Command, context: CliContext): void {
  const command = inbox
    .command('replay')
    .summary('Send stored events to your application again.')
    .description(
      'Send stored events to your application again, freshly signed. Runs that are not done, including dead ones, run again.\n\n' +
        'The exit code is 0 if the endpoint acknowledges every event, and 1 otherwise.',
    )
    .argument('[event]', 'event ID; leave it out to replay all events that match the conditions')
    .option('--endpoint <name>', 'endpoint that received the events', DEFAULT_ENDPOINT);
  addStoreOptions(addFilterOptions(command))
    .option('--handler <id>', 'run only this handler, even if it is done; repeatable', collect)
    .option('--limit <n>', 'maximum number of events', parsePositiveInteger, DEFAULT_LIMIT)
    .option('--rate <n>', 'maximum number of events per second', parseRate)
    .option('--url <url>', 'URL of the endpoint', parseHttpUrl, new URL(DEFAULT_URL))
    .option('--secret <secret>', `signing secret (default: the first one in ${SECRET_VARIABLE})`)
    .addHelpText(
      'after',
      `
Examples:
  $ export ${SECRET_VARIABLE}=whsec_... ${INBOX_URL_VARIABLE}=postgres://localhost/shop
  $ scalekit-webhooks inbox replay evt_123 --application shop
  $ scalekit-webhooks inbox replay evt_123 --application shop --handler SeatHandlers.take
  $ scalekit-webhooks inbox replay --state dead --application shop --url https://shop.example/webhooks/scalekit
  $ scalekit-webhooks inbox replay --state dead --error timeout --received-after 6h --rate 5 --application shop`,
    )
    .action(async (eventId: string | undefined, options: ReplayCommandOptions) => {
      context.exitCode = (await replay(eventId, options, context.io)) ? 0 : 1;
    });
}

/** Resolves to whether the endpoint acknowledged every event. */
function replay(eventId: string | undefined, options: ReplayCommandOptions, io: CliIo): Promise<boolean> {
  const { endpoint, url, handler: handlerIds } = options;
  requireEvents(options, eventId);
  const pace = options.rate === undefined ? undefined : new Pace(options.rate);
  const target = { url, secret: findSigningSecret(options.secret, io) };
  return withInbox(options, io, async (store) => {
    const send = (entry: InboxEntry) => resend(store, entry, target, handlerIds);
    if (eventId === undefined) {
      const { entries } = await readEntries(store, options);
      if (entries.length === 0) io.stderr.write(`${CLI_MESSAGES.noEntries(options.application)}\n`);
      return replayAll(
        entries,
        async (entry) => {
          await pace?.next();
          return send(entry);
        },
        io,
      );
    }
    const entry = await store.get({ endpoint, eventId });
    if (!entry) throw new CliFailureError(CLI_MESSAGES.eventUnknown(eventId, endpoint));
    const report = new DeliveryReport(io, 1);
    report.add(nameOf(entry), await send(entry));
    report.finish();
    return report.allSucceeded;
  });
}

async function replayAll(
  entries: readonly InboxEntry[],
  send: (entry: InboxEntry) => Promise<DeliveryResponse>,
  io: CliIo,
): Promise<boolean> {
  const report = new DeliveryReport(io, entries.length);
  let isStopped = false;
  const sendNext = async (entry: InboxEntry) => {
    if (isStopped) return;
    const response = await send(entry);
    report.add(nameOf(entry), response);
    isStopped ||= isNotAccepted(response);
  };
  try {
    // Send one event first: if the URL or the secret is wrong, the others fail in the same way.
    for (const first of entries.slice(0, 1)) await sendNext(first);
    await forEachConcurrently(entries.slice(1).values(), CONCURRENCY, sendNext);
  } finally {
    report.finish();
  }
  if (isStopped) io.stderr.write(`${CLI_MESSAGES.replayStopped}\n`);
  return report.allSucceeded;
}

/**
 * Sends an event with a signed request to replay it. The application itself reopens the runs, so that nothing changes if the
 * event does not reach it, and no other handler runs.
 */
async function resend(
  store: InboxStore,
  entry: InboxEntry,
  target: DeliveryTarget,
  handlers: readonly string[] | undefined,
): Promise<DeliveryResponse> {
  const payload = await store.payload(entry).catch((error: unknown) => {
    if (error instanceof PayloadUnreadableError) return 'unreadable' as const;
    throw error;
  });
  if (payload === 'unreadable') return { reason: NOT_DECRYPTED };
  if (!payload) return { reason: missingPayload(entry) };
  const response = await sendDelivery(payload, { ...target, id: replayRequestId({ handlers }) });
  if (response.status === undefined || !response.endpoint) return response;
  if (response.status === 401) return { ...response, advice: CLI_MESSAGES.replayRefused };
  return { ...response, advice: replayAdvice(response.endpoint, handlers) ?? response.advice };
}

function replayAdvice(
  { received, replay }: EndpointAnswer,
  handlers: readonly string[] = [],
): string | undefined {
  if (replay === 'handler_unknown') return CLI_MESSAGES.handlerUnknown(handlers);
  if (replay === 'event_unknown') return CLI_MESSAGES.otherInbox;
  return received && replay === undefined ? CLI_MESSAGES.notReplayed : undefined;
}

/** Why an event has no payload. */
export function missingPayload({ erasedAt }: InboxEntry): string {
  return erasedAt ? CLI_MESSAGES.payloadErased : CLI_MESSAGES.payloadMissing;
}

const WITHOUT_PAYLOAD: readonly unknown[] = [
  CLI_MESSAGES.payloadMissing,
  CLI_MESSAGES.payloadErased,
  NOT_DECRYPTED,
];

function nameOf({ type, eventId }: InboxEntry): string {
  return sanitizeLine(`${type} ${eventId}`);
}

/** Whether the response shows that the URL, the secret, a handler or the inbox is wrong, rather than this one event. */
function isNotAccepted(response: DeliveryResponse): boolean {
  if (response.status === undefined) return !WITHOUT_PAYLOAD.includes(response.reason);
  if (response.endpoint?.replay === undefined)
    return response.endpoint === undefined || response.status < 500;
  return response.endpoint.replay !== 'done';
}
