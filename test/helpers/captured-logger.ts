import type { LoggerService } from '@nestjs/common';

type Level = 'log' | 'error' | 'warn' | 'debug';

/** A logger that records its lines, for tests of what an operator sees. */
export class CapturedLogger implements LoggerService {
  readonly lines: { readonly level: Level; readonly text: string; readonly context: string }[] = [];

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
    return this.lines
      .filter((line) => line.context.startsWith('ScalekitWebhooks:') && (level ?? line.level) === line.level)
      .map(({ text }) => text);
  }

  #keep(level: Level, message: unknown, context: unknown): void {
    this.lines.push({ level, text: String(message), context: String(context) });
  }
}
