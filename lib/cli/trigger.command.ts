import { type Command, Option } from 'commander';
import { isScalekitEventType, SCALEKIT_EVENT_TYPES } from '../events/catalog.js';
import { unlistedScalekitEvent } from '../events/scalekit-event.types.js';
import { createScalekitEvent, mergeOverrides } from '../samples/create-scalekit-event.js';
import type { SignatureScheme } from '../verify/signature-headers.js';
import { SECRET_VARIABLE } from '../verify/signing-secret.js';
import { CLI_MESSAGES } from './cli.messages.js';
import {
  type CliContext,
  type CliIo,
  CliUsageError,
  DEFAULT_URL,
  findSigningSecret,
  parseHttpUrl,
  parsePositiveInteger,
  readTextFile,
} from './cli-io.js';
import { DeliveryReport, forEachConcurrently, sendDelivery } from './send-delivery.js';

interface TriggerOptions {
  readonly url: URL;
  readonly secret?: string;
  readonly data?: string;
  readonly count: number;
  readonly scheme: SignatureScheme;
  readonly unlisted?: boolean;
}

const CONCURRENCY = 8;

/** `trigger`: sends signed sample events to an endpoint, like the "Send Test Event" button of the dashboard. */
export function addTriggerCommand(program: Command, context: CliContext): void {
  program
    .command('trigger')
    .summary('Send signed sample events to an endpoint.')
    .description(
      'Send signed sample events to an endpoint.\n\nThe exit code is 0 if the endpoint acknowledges every event, and 1 otherwise.',
    )
    .argument('<type>', 'event type, for example user.created')
    .option('--url <url>', 'URL of the endpoint', parseHttpUrl, new URL(DEFAULT_URL))
    .option('--secret <secret>', `signing secret (default: the first one in ${SECRET_VARIABLE})`)
    .option('--data <json>', 'fields to change in the event, as a JSON object or @file')
    .option('--count <n>', 'number of events to send, each with its own ID', parsePositiveInteger, 1)
    .addOption(
      new Option('--scheme <scheme>', 'signature scheme')
        .choices(['standard', 'scalekit'])
        .default('standard'),
    )
    .option('--unlisted', 'allow an event type that this version does not know')
    .addHelpText(
      'after',
      `
Examples:
  $ export ${SECRET_VARIABLE}=whsec_...
  $ scalekit-webhooks trigger user.created
  $ scalekit-webhooks trigger organization.updated --data '{"data":{"display_name":"Acme"}}'
  $ scalekit-webhooks trigger user.login --data @login.json --url http://localhost:8080/hooks
  $ scalekit-webhooks trigger user.updated --count 500`,
    )
    .action(async (type: string, options: TriggerOptions) => {
      context.exitCode = (await trigger(type, options, context.io)) ? 0 : 1;
    });
}

async function trigger(type: string, options: TriggerOptions, io: CliIo): Promise<boolean> {
  const { url, count, scheme } = options;
  if (!isScalekitEventType(type) && !options.unlisted) {
    throw new CliUsageError(CLI_MESSAGES.typeUnknown(type, nearestTypes(type)));
  }
  const secret = findSigningSecret(options.secret, io);
  const events = makeEvents(type, await readOverrides(options.data), count);
  const report = new DeliveryReport(io, count);
  await forEachConcurrently(events, CONCURRENCY, async ({ id, json }) => {
    report.add(`${type} ${id}`, await sendDelivery(json, { url, secret, scheme }));
  });
  report.finish();
  return report.allSucceeded;
}

/** Reads `--data`: a JSON object, or `@` and the name of a file that contains one. */
async function readOverrides(data: string | undefined): Promise<object> {
  if (data === undefined) return {};
  const text = data.startsWith('@') ? await readTextFile(data.slice(1)) : data;
  const value = parseJson(text);
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  throw new CliUsageError(CLI_MESSAGES.notJsonObject('--data'));
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function* makeEvents(
  type: string,
  overrides: object,
  count: number,
): Generator<{ id: unknown; json: string }> {
  for (let made = 0; made < count; made += 1) {
    const sample = isScalekitEventType(type)
      ? createScalekitEvent(type)
      : createScalekitEvent(unlistedScalekitEvent(type));
    const plain: object = JSON.parse(JSON.stringify(sample));
    const event: Record<string, unknown> = { ...mergeOverrides(plain, overrides), type };
    yield { id: event.id, json: JSON.stringify(event) };
  }
}

/** The known event types that need the fewest edits to become `type`, nearest first. */
function nearestTypes(type: string): readonly string[] {
  return SCALEKIT_EVENT_TYPES.map((known) => ({ known, distance: editDistance(type, known) }))
    .sort((one, other) => one.distance - other.distance)
    .slice(0, 3)
    .map(({ known }) => known);
}

/** The Levenshtein distance, computed row by row. */
function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (const [index, letter] of [...from].entries()) {
    const next = [index + 1];
    for (let column = 1; column <= to.length; column++) {
      const replaced = (row[column - 1] ?? 0) + (letter === to[column - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[column] ?? 0) + 1, (next[column - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[to.length] ?? 0;
}
