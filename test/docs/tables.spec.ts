import { describe, expect, it } from '@jest/globals';
import { SCALEKIT_EVENT_TYPES } from 'nestjs-scalekit-webhooks';
import { SCALEKIT_SCHEDULES } from 'nestjs-scalekit-webhooks/testing';
import { answerFor, DEFAULT_STATUS_CODES } from '../../lib/respond/outcome.js';
import { resolveOptions } from '../../lib/scalekit-webhooks.resolve-options.js';
import { cliCommands, cliHelp } from './cli-help.js';
import { codeSpans, tableCells } from './markdown.js';
import { PublicApi } from './public-api.js';

const api = new PublicApi();
const exported = new Map<string, readonly string[]>();
for (const entryPoint of api.entryPoints) exported.set(entryPoint, Object.keys(await import(entryPoint)));

/** The first code span of each row's first cell, without a method's parameters. */
function firstColumn(file: string, table: string): string[] {
  return tableCells(file, table).map(([cell = '']) => (codeSpans(cell)[0] ?? '').replace(/\(.*/, ''));
}

describe('tables of options', () => {
  const TABLES: readonly (readonly [string, string, readonly string[]])[] = [
    ['docs/configuration.md', 'options', ['ScalekitWebhooksOptions', 'ScalekitWebhooksEndpointOptions']],
    ['docs/handlers.md', 'handler-options', ['OnScalekitEventOptions']],
    ['docs/inboxes.md', 'memory-options', ['MemoryInboxOptions']],
    ['docs/inboxes.md', 'sqlite-options', ['SqliteInboxOptions']],
    ['docs/inboxes.md', 'postgres-options', ['PostgresInboxOptions']],
    ['docs/inboxes.md', 'redis-options', ['RedisInboxOptions']],
    ['docs/background-work.md', 'inbox-transport-options', ['InboxTransportOptions']],
    ['docs/background-work.md', 'bullmq-options', ['BullMqTransportOptions']],
    ['docs/recovery.md', 'recovery-options', ['ScalekitRecoveryOptions', 'ScalekitRecoveryEndpointOptions']],
    ['docs/recovery.md', 'recover-options', ['RecoverOptions']],
    ['docs/dashboard.md', 'dashboard-options', ['ScalekitDashboardOptions', 'ScalekitDashboardRouteOptions']],
    ['docs/testing.md', 'create-delivery-options', ['CreateScalekitDeliveryOptions']],
    ['docs/testing.md', 'delivery-options', ['TestDeliveryOptions']],
    ['docs/testing.md', 'tester-options', ['ScalekitWebhookTesterOptions']],
    ['docs/testing.md', 'simulator-options', ['ScalekitDeliverySimulatorOptions']],
    ['docs/monitoring.md', 'opentelemetry-options', ['OpenTelemetryObserverOptions']],
    ['docs/monitoring.md', 'health-options', ['ScalekitInboxHealthOptions']],
    ['docs/recipes.md', 'verify-options', ['VerifyWebhookSignatureOptions']],
  ];
  // Where JSDoc begins with a value rather than with words.
  const VALUE = /^(?:true|false|\d+|'[^']*'|\[[^\]]*\])/;

  it.each(TABLES)('in %s: "%s" has the members of %j', (file, table, types) => {
    expect(new Set(firstColumn(file, table))).toEqual(new Set(types.flatMap((type) => api.membersOf(type))));
  });

  it.each(TABLES)('in %s: "%s" has the defaults of %j', (file, table, types) => {
    const documented = new Map(
      tableCells(file, table).map(([option = '', value = '']) => [codeSpans(option)[0], value]),
    );
    for (const [option, text] of types.flatMap((type) => [...api.defaultsOf(type)])) {
      const [value] = VALUE.exec(text) ?? [];
      if (value) expect([option, codeSpans(documented.get(option) ?? '')]).toEqual([option, [value]]);
    }
  });

  it('say what the module does without options', () => {
    const defaults = resolveOptions({}, { name: 'default', path: 'webhooks/scalekit' });
    const documented = new Map(
      tableCells('docs/configuration.md', 'options').map(([option = '', value = '']) => [option, value]),
    );

    for (const [option, value] of Object.entries(defaults)) {
      if (value === undefined || typeof value === 'object') continue;
      const printed = typeof value === 'string' ? `'${value}'` : String(value);
      expect([option, documented.get(`\`${option}\``)]).toEqual([option, `\`${printed}\``]);
    }
  });
});

describe('tables of members', () => {
  it.each([
    ['docs/handlers.md', 'delivery', 'ScalekitDelivery'],
    ['docs/events.md', 'envelope', 'UnknownScalekitEvent'],
    ['docs/inboxes.md', 'inbox-store', 'InboxStore'],
    ['docs/replay.md', 'inbox-methods', 'ScalekitInbox'],
    ['docs/replay.md', 'inbox-filter', 'ScalekitInboxFilter'],
    ['docs/testing.md', 'tester-methods', 'ScalekitWebhookTester'],
  ])('in %s: "%s" has those of %s', (file, table, type) => {
    expect(new Set(firstColumn(file, table))).toEqual(new Set(api.membersOf(type)));
  });

  it('in docs/inboxes.md: "inbox-work-store" has what InboxWorkStore adds', () => {
    const inherited = api.membersOf('InboxStore');

    expect(new Set(firstColumn('docs/inboxes.md', 'inbox-work-store'))).toEqual(
      new Set(api.membersOf('InboxWorkStore').filter((member) => !inherited.includes(member))),
    );
  });

  it.each([
    ['docs/delivery-guarantees.md', 'run-states', 'InboxFilter', 'state'],
    ['docs/background-work.md', 'run-states', 'InboxFilter', 'state'],
    ['docs/replay.md', 'report-states', 'HandlerReport', 'state'],
    ['docs/responses.md', 'refusals', 'WebhookVerificationError', 'code'],
  ])('in %s: "%s" has the values of %s.%s', (file, table, type, member) => {
    expect(new Set(firstColumn(file, table))).toEqual(new Set(api.literalsOf(type, member)));
  });
});

describe('the table of schedules', () => {
  it('has those of the simulator, with the number of their attempts', () => {
    const documented = tableCells('docs/testing.md', 'schedules').map(([name = '', attempts]) => [
      codeSpans(name)[0],
      Number(attempts),
    ]);

    expect(documented).toEqual(
      Object.entries(SCALEKIT_SCHEDULES).map(([name, waits]) => [`'${name}'`, waits.length]),
    );
  });
});

describe('the table of events', () => {
  it('has every type in the order of the catalog, with its class and the class of its data', () => {
    expect(tableCells('docs/events.md', 'events').map((cells) => cells.flatMap(codeSpans))).toEqual(
      SCALEKIT_EVENT_TYPES.map((type) => {
        const event = api.classOf('ScalekitEventMap', type) ?? '';
        return [type, event, api.classOf(event, 'data')];
      }),
    );
  });
});

describe('the table of responses', () => {
  it('has the status and the body of every outcome', () => {
    const documented = tableCells('docs/responses.md', 'responses').map(
      ([outcome, status = '', body = '']) => ({
        outcome,
        status: Number.parseInt(status, 10),
        body: JSON.parse(body.replaceAll('`', '')),
        retryAfter: status.includes('Retry-After'),
      }),
    );
    const outcomes = Object.keys(DEFAULT_STATUS_CODES) as (keyof typeof DEFAULT_STATUS_CODES)[];

    expect(documented).toEqual(
      outcomes.map((outcome) => {
        const { status, body, retryAfterSeconds } = answerFor(outcome);
        return { outcome: `\`${outcome}\``, status, body, retryAfter: retryAfterSeconds !== undefined };
      }),
    );
  });
});

describe('the table of error classes', () => {
  const documented = new Map(
    tableCells('docs/responses.md', 'errors').map(([name = '', codes = '']) => [
      codeSpans(name)[0] ?? '',
      codeSpans(codes),
    ]),
  );

  it('has every class that an entry point exports', () => {
    const errors = [...exported.values()]
      .flat()
      .filter((name) => name.endsWith('Error') && name !== 'ScalekitWebhooksError');

    expect(new Set(documented.keys())).toEqual(new Set(errors));
  });

  it.each([...documented].filter(([, codes]) => codes.length > 0))('has the codes of %s', (name, codes) => {
    expect(new Set(codes)).toEqual(new Set(api.literalsOf(name, 'code')));
  });
});

describe('the table of entry points', () => {
  const [main = '', ...others] = api.entryPoints;
  const documented = new Map(
    tableCells('docs/README.md', 'entry-points').map(([path = '', names = '']) => [
      codeSpans(path)[0],
      codeSpans(names),
    ]),
  );

  it('has those that package.json exports', () => {
    expect(new Set(documented.keys())).toEqual(new Set(api.entryPoints));
  });

  it.each(others)('has everything that %s exports', (entryPoint) => {
    expect(new Set(documented.get(entryPoint))).toEqual(new Set(exported.get(entryPoint)));
  });

  it('has everything that the package itself exports, but for the classes of events and errors', () => {
    const listedElsewhere = (name: string) =>
      name.endsWith('Error') || (api.isDeclaredIn('events', name) && /^[A-Z][a-z]/.test(name));

    expect(new Set(documented.get(main))).toEqual(
      new Set(exported.get(main)?.filter((name) => !listedElsewhere(name))),
    );
  });
});

describe('the command line', () => {
  it('has its commands listed', async () => {
    expect(firstColumn('docs/command-line.md', 'commands').sort()).toEqual((await cliCommands()).sort());
  });

  it('has the options of each command listed', async () => {
    for (const command of await cliCommands()) {
      const { options } = await cliHelp(...command.split(' '));
      const documented = firstColumn('docs/command-line.md', `cli: ${command}`);
      expect([command, new Set(documented)]).toEqual([command, new Set(options)]);
    }
  });
});
