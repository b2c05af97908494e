import { type Command, Option } from 'commander';
import { isScalekitEventType, SCALEKIT_EVENT_TYPES } from '../events/catalog.js';
import { unlistedScalekitEvent } from '../events/scalekit-event.types.js';
import { createScalekitEvent, mergeOverrides } from '../samples/create-scalekit-event.js';
import { signWebhook } from '../verify/sign-webhook.js';
import type { SignatureScheme } from '../verify/signature-headers.js';
import { parseSigningSecret, SECRET_VARIABLE } from '../verify/signing-secret.js';
import { CliUsageError } from './cli.errors.js';
import { CLI_MESSAGES } from './cli.messages.js';
import {
  DEFAULT_URL,
  findSecrets,
  parseHttpUrl,
  parsePositiveInteger,
  readInputFile,
} from './cli.options.js';
import type { CliContext, CliIo } from './cli-io.js';
import { runBounded } from './inbox-replay.js';
import { DeliveryReport, sendDelivery } from './send-delivery.js';

/** The known event types that need the fewest edits to become `type`, nearest first. */
function nearestTypes(type: string, count = 3): readonly string[] {
  return SCALEKIT_EVENT_TYPES.map((known) => ({ known, distance: editDistance(type, known) }))
    .sort((one, other) => one.distance - other.distance)
    .slice(0, count)
    .map(({ known }) => known);
}

/** Levenshtein's distance, one row at a time. */
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

/** The fields that `--data` asks for: JSON, or `@` and the name of a file that holds it. */
async function readOverrides(data: string | undefined): Promise<object> {
  if (data === undefined) return {};
  const text = data.startsWith('@') ? (await readInputFile(data.slice(1))).toString() : data;
  const value = parseJson(text);
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  throw new CliUsageError(CLI_MESSAGES.notJsonObject('--data'));
}

/** A new event as it goes on the wire: an id of its own, the overrides merged in. */
function makeEvent(type: string, overrides: object): { id: unknown; json: string } {
  const sample = isScalekitEventType(type)
    ? createScalekitEvent(type)
    : createScalekitEvent(unlistedScalekitEvent(type));
  const plain: object = JSON.parse(JSON.stringify(sample));
  const event: Record<string, unknown> = { ...mergeOverrides(plain, overrides), type };
  return { id: event.id, json: JSON.stringify(event) };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

interface TriggerOptions {
  readonly url: URL;
  readonly secret?: string;
  readonly data?: string;
  readonly count: number;
  readonly scheme: SignatureScheme;
  readonly unlisted?: boolean;
}

const CONCURRENCY = 8;

/** `trigger`: sends signed, made-up events to a server, as the test button of the dashboard does. */
export function addTriggerCommand(program: Command, context: CliContext): void {
  program
    .command('trigger')
    .description(
      'Send signed, made-up events to a server. The exit code is 0 if every answer is a 2xx, else 1.',
    )
    .argument('<type>', 'event type, such as user.created')
    .option('--url <url>', 'where to send it', parseHttpUrl, new URL(DEFAULT_URL))
    .option('--secret <secret>', `signing secret (default: the first one in ${SECRET_VARIABLE})`)
    .option('--data <json>', 'fields to change in the event: a JSON object, or @file')
    .option('--count <n>', 'how many events to send, each with an id of its own', parsePositiveInteger, 1)
    .addOption(
      new Option('--scheme <scheme>', 'how to sign').choices(['standard', 'scalekit']).default('standard'),
    )
    .option('--unlisted', 'allow a type that this version does not know')
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
      const isSuccess = await trigger(type, options, context.io);
      context.exitCode = isSuccess ? 0 : 1;
    });
}

async function trigger(type: string, options: TriggerOptions, io: CliIo): Promise<boolean> {
  const { url, count, scheme } = options;
  if (!isScalekitEventType(type) && !options.unlisted) {
    throw new CliUsageError(CLI_MESSAGES.typeUnknown(type, nearestTypes(type)));
  }
  const secret = parseSigningSecret(findSecrets(options.secret, io)[0]);
  const overrides = await readOverrides(options.data);
  const report = new DeliveryReport(io, count);
  let isSuccess = true;
  await runBounded(count, CONCURRENCY, async () => {
    const event = makeEvent(type, overrides);
    const signature = signWebhook({ payload: event.json, secret, scheme });
    const answer = await sendDelivery(url, event.json, signature);
    report.add(`${type} ${event.id}`, answer);
    isSuccess &&= answer.status !== undefined && answer.status >= 200 && answer.status <= 299;
  });
  report.finish();
  return isSuccess;
}
