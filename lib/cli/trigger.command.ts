import { type Command, Option } from 'commander';
import { isScalekitEventType } from '../events/catalog.js';
import { signWebhook } from '../testing/sign-webhook.js';
import { SECRET_VARIABLE } from '../verify/environment-secret.js';
import type { SignatureScheme } from '../verify/signature-scheme.js';
import { parseSigningSecret } from '../verify/signing-secret.js';
import { CLI_MESSAGES } from './cli.messages.js';
import { findSecrets, parseHttpUrl, parsePositiveInteger } from './cli.options.js';
import type { CliContext, CliIo } from './cli-io.js';
import { CliUsageError } from './cli-usage.error.js';
import { DEFAULT_URL } from './default-url.js';
import { DeliveryReport } from './delivery.report.js';
import { makeEvent, readOverrides } from './event-template.js';
import { nearestTypes } from './nearest-types.js';
import { runBounded } from './run-bounded.js';
import { sendDelivery } from './send-delivery.js';

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
