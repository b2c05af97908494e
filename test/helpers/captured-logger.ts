import type { LoggerService } from '@nestjs/common';

type Level = 'log' | 'error' | 'warn' | 'debug';

/** A line as the application's logger got it. */
interface CapturedLine {
  readonly level: Level;
  /** Without what follows it, such as a stack. */
  readonly text: string;
  readonly context: string;
  /** A text, or an object with fields. */
  readonly message: unknown;
}

/** A logger that records its lines, for tests of what an operator sees. */
export class CapturedLogger implements LoggerService {
  readonly lines: CapturedLine[] = [];

  log(message: unknown, context?: unknown): void {
    this.#keep('log', message, context);
  }

  error(message: unknown, ...stackAndContext: unknown[]): void {
    this.#keep('error', message, stackAndContext.at(-1));
  }

  warn(message: unknown, context?: unknown): void {
    this.#keep('warn', message, context);
  }

  debug(message: unknown, context?: unknown): void {
    this.#keep('debug', message, context);
  }

  /** The lines that the library logged, at one level or at all of them. */
  ours(level?: Level): readonly string[] {
    return this.#ours(level).map(({ text }) => text);
  }

  /** The same lines with everything that follows them. */
  oursInFull(level?: Level): readonly string[] {
    return this.#ours(level).map(({ message }) => String(message));
  }

  /** What the logger got for the first of these lines, or for the first that matches a pattern. */
  first(level: Level, pattern = /^/): unknown {
    return this.#ours(level).find(({ text }) => pattern.test(text))?.message;
  }

  #ours(level?: Level): readonly CapturedLine[] {
    return this.lines.filter(
      (line) => line.context.startsWith('ScalekitWebhooks:') && (level ?? line.level) === line.level,
    );
  }

  #keep(level: Level, message: unknown, context: unknown): void {
    const [text = ''] = String(message).split('\n');
    this.lines.push({ level, text, context: String(context), message });
  }
}
