import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { ConsoleLogger, Logger, type LoggerService } from '@nestjs/common';
import { ScalekitWebhooksModule } from 'nestjs-scalekit-webhooks';
import { ScalekitWebhookTester } from 'nestjs-scalekit-webhooks/testing';
import { pino } from 'pino';
import { CapturedLogger } from '../../helpers/captured-logger.js';
import { run } from '../../helpers/running-app.js';
import { aUserCreated, First, startScriptedApp } from '../../helpers/scripted-app.js';
import { ADAPTERS, SECRET } from '../../helpers/test-app.js';

const FORGED = '[Nest] 1  - 01/01/2030, 0:00:00 AM     LOG [AuthService] admin logged in';

/** Throws an error from a function with a known name. */
function chargeTheCard(error: unknown): never {
  throw error;
}

describe.each(ADAPTERS)('the log of a failed run, on %s', (_name, adapter) => {
  async function failWith(error: () => unknown) {
    const bench = await startScriptedApp(adapter);
    bench.first.mockImplementation(async () => chargeTheCard(error()));
    const event = aUserCreated();
    await bench.scalekit.deliver(event);
    const [text = ''] = bench.logger.oursInFull('warn');
    return { ...bench, event, text };
  }

  it('has the stack of the error', async () => {
    const { text } = await failWith(() => new TypeError('tenant is undefined'));

    expect(text).toMatch(/^First\.handle failed .*: TypeError: tenant is undefined\n {4}at /);
    expect(text).toContain('failure-log.spec.ts');
  });

  it('has its causes', async () => {
    const { text } = await failWith(
      () => new Error('cannot save', { cause: new RangeError('too many seats', { cause: 'limit 5' }) }),
    );

    expect(text).toContain('\n  Caused by: RangeError: too many seats\n      at ');
    expect(text).toContain('\n    Caused by: NonErrorThrown: a string was thrown: "limit 5"');
  });

  it('has the parts of an AggregateError', async () => {
    const parts = [
      new Error('connect ECONNREFUSED ::1:5432'),
      new Error('connect ECONNREFUSED 127.0.0.1:5432'),
    ];
    const { text } = await failWith(() => new AggregateError(parts));

    expect(text).toContain('\n  Part 1 of 2: Error: connect ECONNREFUSED ::1:5432\n');
    expect(text).toContain('\n  Part 2 of 2: Error: connect ECONNREFUSED 127.0.0.1:5432\n');
  });

  it('has a thrown text, shortened', async () => {
    const { text } = await failWith(() => `no tenant ${'x'.repeat(10_000)}`);

    expect(text).toMatch(/: NonErrorThrown: a string was thrown: "no tenant x{100,300}"$/);
  });

  it.each([
    ['a line feed', '\n'],
    ['a carriage return', '\r'],
    ['both', '\r\n'],
    ['U+2028', '\u2028'],
    ['U+2029', '\u2029'],
    ['a vertical tab', '\v'],
    ['NEL', '\u0085'],
    ['an escape sequence', '\u001b[2K\u001b[1G'],
    ['a bidi override', '\u202e'],
  ])('cannot be forged with %s, wherever it is', async (_character, character) => {
    const text = `x${character}${FORGED}`;
    const named = Object.assign(new Error(text), { name: text });
    const { logger } = await failWith(
      () => new AggregateError([named, new Error(text)], text, { cause: new Error(text, { cause: text }) }),
    );

    const full = logger.oursInFull('warn').join('\n');
    expect(full).toContain('admin logged in');
    expect(full.split('\n').filter((line) => !/^(First\.handle|evt_| {2})/.test(line))).toEqual([]);
    expect(full.replaceAll('\n', '')).not.toMatch(/[\p{C}\p{Zl}\p{Zp}]/u);
  });

  it('has ids as fields if the logger takes an object', async () => {
    const { logger, event } = await failWith(() => new TypeError('tenant is undefined'));

    expect(logger.first('warn')).toMatchObject({
      message: expect.stringContaining('TypeError: tenant is undefined'),
      endpoint: 'default',
      eventId: event.id,
      eventType: 'user.created',
      handlerId: 'First.handle',
      attempt: 1,
      state: 'failed',
      stack: expect.stringContaining('    at '),
    });
  });

  it('contains no other property of the error, and no signing secret', async () => {
    const error = Object.assign(new Error(`rejected ${SECRET}`), {
      detail: 'ada@example.com',
      params: [SECRET],
    });
    const { logger } = await failWith(() => error);

    const text = JSON.stringify(logger.lines) + logger.oursInFull().join();
    expect(text).not.toContain('ada@example.com');
    expect(text).not.toContain(SECRET);
  });
});

describe.each(ADAPTERS)("the application's logger, on %s", (_name, adapter) => {
  let printed: string[];

  beforeEach(() => {
    printed = [];
    for (const method of ['log', 'error'] as const) {
      jest.spyOn(console, method).mockImplementation((line) => void printed.push(String(line)));
    }
  });
  afterEach(() => {
    jest.restoreAllMocks();
    Logger.overrideLogger(new ConsoleLogger());
  });

  async function failWith(logger: LoggerService) {
    const app = await run(
      adapter,
      { imports: [ScalekitWebhooksModule.forRoot({ signingSecret: SECRET })], providers: [First] },
      undefined,
      { logger },
    );
    app.get(First).run.mockRejectedValue(new TypeError('tenant is undefined'));
    const event = aUserCreated();
    await new ScalekitWebhookTester(app).deliver(event);
    return event.id;
  }

  it('gets texts if it is the one of Nest', async () => {
    const id = await failWith(new ConsoleLogger({ forceConsole: true, colors: false }));

    const [line = ''] = printed.filter((text) => text.includes('First.handle failed'));
    expect(line).toMatch(
      new RegExp(
        `WARN \\[ScalekitWebhooks:default\\] First\\.handle failed for ${id} \\(user\\.created\\): TypeError: tenant is undefined\\n {4}at `,
      ),
    );
  });

  it('gets one object per line if it is the one of Nest and writes JSON', async () => {
    const id = await failWith(new ConsoleLogger({ forceConsole: true, json: true }));

    const [record] = printed.map((text) => JSON.parse(text)).filter(({ message }) => message.handlerId);
    expect(record).toMatchObject({
      context: 'ScalekitWebhooks:default',
      message: {
        message: `First.handle failed for ${id} (user.created): TypeError: tenant is undefined`,
        eventId: id,
        handlerId: 'First.handle',
        stack: expect.stringContaining('    at '),
      },
    });
  });

  it('gets an object that pino understands', async () => {
    const lines: string[] = [];
    const target = pino({}, { write: (line) => void lines.push(line) });
    // As nestjs-pino passes lines on.
    const log =
      (level: 'info' | 'error' | 'warn' | 'debug') =>
      (message: unknown, ...others: unknown[]) => {
        const context = { context: others.at(-1) };
        if (typeof message === 'object') target[level]({ ...context, ...message });
        else target[level](context, String(message));
      };
    const id = await failWith({
      log: log('info'),
      error: log('error'),
      warn: log('warn'),
      debug: log('debug'),
    });

    const [record] = lines
      .map((line) => JSON.parse(line))
      .filter(({ level, handlerId }) => level === 40 && handlerId);
    expect(record).toMatchObject({
      context: 'ScalekitWebhooks:default',
      msg: `First.handle failed for ${id} (user.created): TypeError: tenant is undefined`,
      eventId: id,
      handlerId: 'First.handle',
    });
  });

  it('may throw: the outcome is the same', async () => {
    const logger = new CapturedLogger();
    logger.warn = () => {
      throw new Error('the disk is full');
    };

    await expect(failWith(logger)).resolves.toEqual(expect.any(String));
  });

  it('gets a line per event at debug level, whatever Nest says about levels', async () => {
    // Nest 11 says so unless the application passes an array of levels.
    jest.spyOn(Logger, 'isLevelEnabled').mockReturnValue(false);
    const logger = new CapturedLogger();
    const app = await run(
      adapter,
      { imports: [ScalekitWebhooksModule.forRoot({ signingSecret: SECRET })], providers: [First] },
      undefined,
      { logger },
    );
    const event = aUserCreated();
    await new ScalekitWebhookTester(app).deliver(event);

    expect(logger.ours('debug')).toEqual([`${event.id} (user.created): processed`]);
  });
});
