import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { format } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { Test } from '@nestjs/testing';
import { createScalekitEvent, ScalekitWebhookTester } from 'nestjs-scalekit-webhooks/testing';
import manifest from '../../package.json' with { type: 'json' };
import { ADAPTERS, SECRET } from '../helpers/test-app.js';
import { cliHelp } from './cli-help.js';
import { errorsOf, programOf } from './compiler.js';
import { type CodeBlock, codeBlocks, MARKDOWN_FILES, ROOT, readMarkdown } from './markdown.js';

const SCRATCH = `${ROOT}.docs-scratch/`;
const TYPESCRIPT = MARKDOWN_FILES.flatMap((file) => codeBlocks(file, 'ts', 'typescript'));
const SHELL = MARKDOWN_FILES.flatMap((file) => codeBlocks(file, 'bash', 'sh', 'shell'));
const PRINTING = /console\.log\(.*\); \/\/ (.*)$/gm;

/** Where a block is. */
const placeOf = ({ file, line }: CodeBlock) => `${file}:${line}`;

/** A block's imports of the reader's own application are those of the quickstart. */
function sourceOf({ code }: CodeBlock): string {
  return code.replaceAll("'../src/", "'../sample/00-quickstart/src/");
}

describe('TypeScript in the documentation', () => {
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

  async function run(block: CodeBlock): Promise<Record<string, unknown>> {
    const path = `${SCRATCH}${placeOf(block).replace(/\W+/g, '-')}.ts`;
    writeFileSync(path, sourceOf(block));
    return import(path);
  }

  it('compiles', () => {
    const blocks = new Map(TYPESCRIPT.map((block, index) => [`${SCRATCH}block-${index}.ts`, block]));
    const program = programOf(new Map([...blocks].map(([path, block]) => [path, sourceOf(block)])));
    const errors = [...blocks].flatMap(([path, { file, line: first }]) =>
      errorsOf(program, path).map(({ line, message }) => `${file}:${first + line}: ${message}`),
    );

    expect(TYPESCRIPT.length).toBeGreaterThan(20);
    expect(errors).toEqual([]);
  }, 60_000);

  it.each(ADAPTERS)('has a first handler in the README that works on %s', async (_name, adapter) => {
    const log = jest.spyOn(console, 'log').mockImplementation(() => {});
    const [block] = codeBlocks('README.md', 'ts').filter(({ heading }) => heading === '## First handler');
    const { AppModule } = await run(block as CodeBlock);
    const module = await Test.createTestingModule({ imports: [AppModule as never] }).compile();
    const app = module.createNestApplication(adapter(), { logger: false });

    const event = createScalekitEvent('user.created', { data: { user: { id: 'usr_readme' } } });
    const { status } = await new ScalekitWebhookTester(app).deliver(event);
    await app.close();

    expect(status).toBe(201);
    expect(log).toHaveBeenCalledWith('Welcome, usr_readme');
  });

  const printing = TYPESCRIPT.filter(({ code }) => code.match(PRINTING)).map(
    (block) => [placeOf(block), block] as const,
  );

  it('has tests that say what they print', () => {
    expect(printing.map(([, { file }]) => file)).toEqual(Array.from({ length: 4 }, () => 'docs/testing.md'));
  });

  it.each(printing)('prints what its comments say in %s', async (_place, block) => {
    const log = jest.spyOn(console, 'log').mockImplementation(() => {});

    await run(block);

    const announced = [...block.code.matchAll(PRINTING)].map(([, text]) => text);
    expect(log.mock.calls.map((values) => format(...values))).toEqual(announced);
  });
});

describe('commands in the documentation', () => {
  // What is not ours to check.
  const OTHERS = new Set(['cd', 'curl', 'docker', 'export', 'git', 'kill', 'ngrok']);

  const commands = SHELL.flatMap((block) =>
    block.code
      .split('\n')
      .map((line) => line.replace(/(^|\s)#.*$/, '').trim())
      .flatMap((line) => line.split(/&&|;|&$/))
      .map((text) => text.trim().replace(/^(?:\w+=(?:'[^']*'|\S*)(?: +|$))+/, ''))
      .filter((text) => text !== '')
      .map((command) => [placeOf(block), command] as const),
  );

  it('are there', () => {
    expect(commands.length).toBeGreaterThan(20);
  });

  it.each(commands)('in %s exist: %s', async (_place, command) => {
    const [program = '', ...words] = command.split(/\s+/);
    if (OTHERS.has(program)) return;
    if (program === 'npm') expectNpmCommand(words);
    else if (program === 'npx') await expectCliCommand(words);
    else expect([program, existsSync(join(ROOT, program))]).toEqual([program, true]);
  });

  it.each(MARKDOWN_FILES)('in the text of %s are scripts of package.json', (file) => {
    const named = [...readMarkdown(file).matchAll(/`npm run ([\w:-]+)/g)].map(([, script]) => script);

    expect(Object.keys(manifest.scripts)).toEqual(expect.arrayContaining(named));
  });

  it('in the README are the two that a newcomer needs', () => {
    expect(readMarkdown('README.md')).toContain('npm ci && npm run demo\nnpm ci && npm test\n');
  });

  function expectNpmCommand(words: readonly string[]): void {
    const [verb = '', name = ''] = words;
    if (verb === 'ci' || verb === 'install') return;
    const workspace = words[words.indexOf('-w') + 1];
    const folder = words.includes('-w') ? workspaceFolder(workspace ?? '') : '';
    const { scripts } = JSON.parse(readFileSync(join(ROOT, folder, 'package.json'), 'utf8'));
    expect(Object.keys(scripts)).toContain(verb === 'run' ? name : verb);
  }

  function workspaceFolder(name: string): string {
    const folder = name.replace(/^sample-/, 'sample/');
    expect(existsSync(join(ROOT, folder, 'package.json'))).toBe(true);
    return folder;
  }

  async function expectCliCommand([name, ...words]: readonly string[]): Promise<void> {
    expect(name).toBe('scalekit-webhooks');
    const end = words[0] === 'inbox' ? 2 : 1;
    const { options } = await cliHelp(...words.slice(0, end));
    expect(options).toEqual(
      expect.arrayContaining(words.filter((word) => word.startsWith('--') && word !== '--help')),
    );
  }
});
