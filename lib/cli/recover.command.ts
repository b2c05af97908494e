import cliProgress from 'cli-progress';
import type { Command } from 'commander';
import { sanitizeLine } from '../errors/safe-text.js';
import { EventsReader, type ReadEvent } from '../recovery/events.reader.js';
import type { ScalekitEventsClient } from '../recovery/recovery.options.js';
import { SECRET_VARIABLE, type SigningSecret } from '../verify/signing-secret.js';
import { CLI_MESSAGES } from './cli.messages.js';
import type { CliContext, CliIo } from './cli-io.js';
import {
  CliFailureError,
  CliUsageError,
  collect,
  DEFAULT_URL,
  findSigningSecret,
  parseHttpUrl,
  parsePastTime,
  reasonOf,
} from './cli-io.js';
import { importDriver } from './open-inbox.js';
import { type DeliveryResponse, isSuccess, lineFor, sendDelivery } from './send-delivery.js';

interface RecoverCommandOptions {
  readonly since: Date;
  readonly until?: Date;
  readonly type?: readonly string[];
  readonly organization?: string;
  readonly dryRun?: boolean;
  readonly url: URL;
  readonly secret?: string;
}

const VARIABLES = ['SCALEKIT_ENVIRONMENT_URL', 'SCALEKIT_CLIENT_ID', 'SCALEKIT_CLIENT_SECRET'] as const;
const SDK = '@scalekit-sdk/node';

/** `recover`: sends the application the events that it missed, from Scalekit's Events API. */
export function addRecoverCommand(program: Command, context: CliContext): void {
  program
    .command('recover')
    .summary('Send your application the events that it missed.')
    .description(
      "Read events from Scalekit's Events API, and send them to your application, freshly signed and oldest first. Your application ignores the events that it has already handled, so you can repeat the command.\n\n" +
        `The command reads the credentials for the API from ${VARIABLES.join(', ')}.\n\n` +
        'The exit code is 0 if the endpoint acknowledges every event, and 1 otherwise.',
    )
    .requiredOption(
      '--since <time>',
      'start of the period: an ISO 8601 time, or an age such as 48h or 7d',
      parsePastTime,
    )
    .option('--until <time>', 'end of the period (default: now)', parsePastTime)
    .option('--type <type>', 'only events of this type; repeatable', collect)
    .option('--organization <id>', 'only events of this organization')
    .option('--dry-run', 'only list the events, and send nothing')
    .option('--url <url>', 'URL of the endpoint', parseHttpUrl, new URL(DEFAULT_URL))
    .option('--secret <secret>', `signing secret (default: the first one in ${SECRET_VARIABLE})`)
    .addHelpText(
      'after',
      `
Examples:
  $ scalekit-webhooks recover --since 48h --dry-run
  $ scalekit-webhooks recover --since 2026-01-31T12:00:00Z --url https://shop.example/webhooks/scalekit`,
    )
    .action(async (options: RecoverCommandOptions) => {
      context.exitCode = (await recover(options, context.io)) ? 0 : 1;
    });
}

/** Resolves to whether the endpoint acknowledged every event. */
async function recover(options: RecoverCommandOptions, io: CliIo): Promise<boolean> {
  const { since, until = new Date(), url, type, organization } = options;
  if (since >= until) throw new CliUsageError(CLI_MESSAGES.sinceNotBeforeUntil);
  const secret = options.dryRun ? undefined : findSigningSecret(options.secret, io);
  const filter = {
    ...(type && { eventTypes: [...type] }),
    ...(organization !== undefined && { organizationId: organization }),
  };
  const reader = new EventsReader(await openClient(io), filter, new AbortController().signal);
  const progress = new RecoverProgress(io, since, until);
  try {
    for await (const events of reader.slices({ from: since.getTime(), until: until.getTime() })) {
      for (const event of events) await recoverOne(event, { url, secret }, progress);
    }
  } catch (error) {
    throw error instanceof CliFailureError ? error : new CliFailureError(reasonOf(error));
  } finally {
    progress.finish();
  }
  return progress.allSucceeded;
}

async function recoverOne(
  event: ReadEvent,
  { url, secret }: { readonly url: URL; readonly secret: SigningSecret | undefined },
  progress: RecoverProgress,
): Promise<void> {
  if (!secret) return progress.list(event);
  const response = await sendDelivery(JSON.stringify(event), { url, secret });
  progress.add(event, response);
  // The URL or the secret is wrong, or the application is down, so all others would fail in the same way.
  const isRefused = response.status === undefined || !response.endpoint || response.status === 401;
  if (isRefused || response.status === 503) {
    throw new CliFailureError(CLI_MESSAGES.recoverStopped(String(event.occurred_at)));
  }
}

/** The client of the Scalekit SDK that is installed in the application. */
async function openClient({ env }: CliIo): Promise<ScalekitEventsClient> {
  const [url, id, secret] = VARIABLES.map((name) => env[name] ?? '');
  const missing = VARIABLES.filter((name) => !env[name]);
  if (!url || !id || !secret) throw new CliUsageError(CLI_MESSAGES.credentialsMissing(missing));
  const { ScalekitClient } = await importDriver<typeof import('@scalekit-sdk/node')>(
    'Scalekit',
    [SDK],
    CLI_MESSAGES.sdkMissing(SDK),
  );
  try {
    return new ScalekitClient(url, id, secret);
  } catch (error) {
    throw new CliUsageError(CLI_MESSAGES.credentialsInvalid(reasonOf(error)));
  }
}

/** Prints what went wrong, and on a terminal, how far the recovery has come in its window. */
class RecoverProgress {
  allSucceeded = true;
  readonly #tally = new Map<string, number>();
  readonly #advice = new Set<string>();
  readonly #bar?: cliProgress.SingleBar;

  constructor(
    private readonly io: CliIo,
    private readonly since: Date,
    until: Date,
  ) {
    if (!io.stderr.isTTY) return;
    this.#bar = new cliProgress.SingleBar(
      { stream: io.stderr, format: 'Recovering {bar} {percentage}%, {events} events' },
      cliProgress.Presets.shades_classic,
    );
    this.#bar.start(until.getTime() - since.getTime(), 0, { events: 0 });
  }

  /** In a dry run. */
  list(event: ReadEvent): void {
    this.io.stdout.write(`${sanitizeLine(`${event.occurred_at}  ${nameOf(event)}`)}\n`);
    this.#count(event, 'found');
  }

  add(event: ReadEvent, response: DeliveryResponse): void {
    if (!isSuccess(response)) {
      this.allSucceeded = false;
      this.io.stdout.write(`${lineFor(nameOf(event), response)}\n`);
    }
    if (response.status !== undefined && response.advice !== undefined) this.#advice.add(response.advice);
    this.#count(event, response.status === undefined ? response.reason : String(response.status));
  }

  finish(): void {
    this.#bar?.stop();
    for (const advice of this.#advice) this.io.stderr.write(`${sanitizeLine(advice)}\n`);
    this.io.stdout.write(`${CLI_MESSAGES.summary([...this.#tally]) || CLI_MESSAGES.nothingToRecover}\n`);
  }

  #count(event: ReadEvent, key: string): void {
    this.#tally.set(key, (this.#tally.get(key) ?? 0) + 1);
    const events = [...this.#tally.values()].reduce((sum, count) => sum + count, 0);
    this.#bar?.update(Date.parse(String(event.occurred_at)) - this.since.getTime(), { events });
  }
}

function nameOf({ type, id }: ReadEvent): string {
  return sanitizeLine(`${type} ${id}`);
}
