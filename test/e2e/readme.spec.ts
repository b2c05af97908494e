import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { Test } from '@nestjs/testing';
import { SCALEKIT_EVENT_TYPES } from 'nestjs-scalekit-webhooks';
import { createScalekitEvent, ScalekitWebhookTester } from 'nestjs-scalekit-webhooks/testing';
import ts from 'typescript';
import { SCALEKIT_EVENTS } from '../../lib/events/catalog.js';
import { answerFor, DEFAULT_STATUS_CODES } from '../../lib/respond/outcome.js';
import { resolveOptions } from '../../lib/scalekit-webhooks.options.js';
import { README, tableCells, typescriptBlocks } from '../helpers/readme.js';
import { ADAPTERS, SECRET } from '../helpers/test-app.js';

const ROOT = new URL('../..', import.meta.url).pathname;
const SCRATCH = `${ROOT}.readme/`;

function typeErrors(files: ReadonlyMap<string, string>): string[] {
  const { config } = ts.readConfigFile(`${ROOT}tsconfig.json`, ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, ROOT);
  const host = ts.createCompilerHost(options);
  const { fileExists, readFile } = host;
  host.fileExists = (path) => files.has(path) || fileExists(path);
  host.readFile = (path) => files.get(path) ?? readFile(path);
  const program = ts.createProgram([...files.keys()], options, host);
  return [...files.keys()].flatMap((path) =>
    ts
      .getPreEmitDiagnostics(program, program.getSourceFile(path))
      .map(({ messageText }) => `${path}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`),
  );
}

describe('the README', () => {
  beforeAll(() => {
    mkdirSync(SCRATCH, { recursive: true });
    process.env.SCALEKIT_WEBHOOK_SECRET = SECRET;
  });

  afterAll(() => {
    rmSync(SCRATCH, { recursive: true, force: true });
    delete process.env.SCALEKIT_WEBHOOK_SECRET;
  });

  afterEach(() => {
    jest.restoreAllMocks();
  });

  async function run(heading: string): Promise<Record<string, unknown>> {
    const code = typescriptBlocks().find((block) => block.heading === heading)?.code ?? '';
    const path = `${SCRATCH}${heading.replace(/\W+/g, '-')}.ts`;
    writeFileSync(path, code.replaceAll("'./sample/", "'../sample/"));
    return import(path);
  }

  it('has TypeScript that compiles', () => {
    const files = typescriptBlocks().map(({ code }, index) => [`${ROOT}readme-${index}.ts`, code] as const);

    expect(files.length).toBeGreaterThan(5);
    expect(typeErrors(new Map(files))).toEqual([]);
  }, 60_000);

  it.each(ADAPTERS)('has a first handler that works on %s', async (_name, adapter) => {
    const log = jest.spyOn(console, 'log').mockImplementation(() => {});
    const { AppModule } = await run('## A first handler');
    const module = await Test.createTestingModule({ imports: [AppModule as never] }).compile();
    const app = module.createNestApplication(adapter(), { logger: false });

    const event = createScalekitEvent('user.created', { data: { user: { id: 'usr_readme' } } });
    const { status } = await new ScalekitWebhookTester(app).deliver(event);
    await app.close();

    expect(status).toBe(201);
    expect(log).toHaveBeenCalledWith('welcome to usr_readme');
  });

  it('has a test that gets what its comments say', async () => {
    const log = jest.spyOn(console, 'log').mockImplementation(() => {});

    await run('## Testing');

    expect(log.mock.calls).toEqual([[201, 200], [401]]);
  });

  it('lists the events of the catalog, each with its class', () => {
    const listed = tableCells('events').map(([type, dto]) => [type, dto]);

    expect(listed).toEqual(
      SCALEKIT_EVENT_TYPES.map((type) => [`\`${type}\``, `\`${SCALEKIT_EVENTS[type].name}\``]),
    );
  });

  it('has the answers of the outcome table', () => {
    const documented = tableCells('answers').map(([, status = '', body = '']) => ({
      status: Number.parseInt(status, 10),
      body: JSON.parse(body.replaceAll('`', '')),
      retryAfter: status.includes('Retry-After'),
    }));
    const outcomes = Object.keys(DEFAULT_STATUS_CODES) as (keyof typeof DEFAULT_STATUS_CODES)[];

    expect(documented).toEqual(
      outcomes.map((outcome) => {
        const { status, body, retryAfterSeconds } = answerFor(outcome);
        return { status, body, retryAfter: retryAfterSeconds !== undefined };
      }),
    );
  });

  it('has every default that is a plain value', () => {
    const defaults = resolveOptions({}, { name: 'default', path: 'webhooks/scalekit' });
    const documented = new Map(tableCells('options').map(([option = '', value = '']) => [option, value]));

    for (const [option, value] of Object.entries(defaults)) {
      if (typeof value === 'object') continue;
      const printed = typeof value === 'string' ? `'${value}'` : String(value);
      expect([option, documented.get(`\`${option}\``)]).toEqual([option, `\`${printed}\``]);
    }
  });

  it('names npm scripts that exist', async () => {
    const { default: manifest } = await import('../../package.json', { with: { type: 'json' } });
    const named = [...README.matchAll(/npm (?:run )?(demo|test)\b/g)].map(([, script]) => script);

    expect(new Set(named)).toEqual(new Set(['demo', 'test']));
    expect(Object.keys(manifest.scripts)).toEqual(expect.arrayContaining(named));
  });
});
