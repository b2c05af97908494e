import { ConsoleLogger, Logger } from '@nestjs/common';
import { escapeLine } from '../errors/printable.js';
import type { FailureReport } from './failure-report.js';
import { formatOf } from './nest-internals.js';

export type LogLevel = 'error' | 'warn' | 'log' | 'debug';

/** What a line is about, for loggers that take objects: ids, types, outcomes and numbers. */
export type LogFields = Readonly<Record<string, string | number | undefined>>;

/** What belongs to a line besides its text. */
export interface LogDetails {
  readonly fields?: LogFields;
  /** Its summary completes the line, and its details follow. */
  readonly failure?: FailureReport | undefined;
  /** The end of the line. */
  readonly note?: string;
}

/**
 * Writes to the application's logger. A line stays one line, whatever its text contains. A line with fields is an object,
 * see {@link LogEntry}, but a text if the logger is Nest's own and does not write JSON.
 */
export class LogWriter {
  readonly #logger: Logger;

  constructor(context: string) {
    this.#logger = new Logger(context);
  }

  /** Whether lines at debug level go anywhere. `Logger.isLevelEnabled` of Nest 11 says no as long as no levels are set. */
  get writesDebug(): boolean {
    const target: unknown = this.#logger.localInstance;
    return target instanceof ConsoleLogger ? target.isLevelEnabled('debug') : target !== undefined;
  }

  /** Never throws: a logger that does must not change what happens to a delivery. */
  write(level: LogLevel, text: string, { fields, failure, note = '' }: LogDetails = {}): void {
    try {
      const message = escapeLine(text) + (failure ? `: ${failure.summary}` : '') + note;
      const entry = new LogEntry(message, fields, failure?.details);
      const format = formatOf(this.#logger);
      if (format === 'other') Object.assign(entry, { msg: message });
      this.#logger[level](fields && format !== 'text' ? entry : String(entry));
    } catch {
      // There is nowhere left to report it.
    }
  }
}

/**
 * A line for loggers that take objects. winston reads its text from `message`, and pino from `msg`. A logger that only
 * writes text gets it from `toString()`.
 */
class LogEntry {
  constructor(
    readonly message: string,
    fields: LogFields | undefined,
    readonly stack?: string,
  ) {
    Object.assign(this, fields);
  }

  toString(): string {
    return this.stack ? `${this.message}\n${this.stack}` : this.message;
  }
}
