import { openSync, writeSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * What happened to an attempt:
 *
 * - `taken`: a worker asked for runs and got it. The time is when it asked
 * - `begin`: it began
 * - `effect`: it made its effect
 * - `committing`: it made its effect in a transaction, which may still fail
 * - `early`: it failed because the event before it has not been handled yet
 * - `swallowed`: it swallowed the error that aborted its transaction, and returned as if it had succeeded
 * - `settling`: the inbox was asked to record its end. What follows is `settled`, `lapsed` if another attempt had taken
 *   over, or `unsettled` if it failed
 */
export type AttemptStep =
  | 'taken'
  | 'begin'
  | 'effect'
  | 'committing'
  | 'early'
  | 'swallowed'
  | 'settling'
  | 'settled'
  | 'lapsed'
  | 'unsettled';

/** A step of an attempt, or `fault`: an error that the storm made the inbox's database return. */
export type Step = AttemptStep | 'fault';

/** One line of a journal. A fault belongs to no attempt. */
export interface JournalLine {
  readonly pid: number;
  readonly at: number;
  readonly step: Step;
  readonly handlerId: string;
  readonly eventId: string;
  readonly attempt: number;
}

/** A file to which one process appends. Its lines survive a SIGKILL. */
export class Journal {
  readonly #file: number;

  constructor(directory: string) {
    this.#file = openSync(join(directory, `${process.pid}.log`), 'a');
  }

  write(step: AttemptStep, handlerId: string, eventId: string, attempt: number, at = Date.now()): void {
    this.#append(step, handlerId, eventId, attempt, at);
  }

  fault(): void {
    this.#append('fault', '-', '-', 0);
  }

  #append(step: Step, handlerId: string, eventId: string, attempt: number, at = Date.now()): void {
    writeSync(this.#file, `${at} ${step} ${handlerId} ${eventId} ${attempt}\n`);
  }
}

/** The lines of all processes. */
export async function readJournals(directory: string): Promise<JournalLine[]> {
  const files = await readdir(directory);
  const journals = await Promise.all(
    files.map(async (file) => {
      const text = await readFile(join(directory, file), 'utf8');
      const pid = Number.parseInt(file, 10);
      return text
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => parseLine(line, pid));
    }),
  );
  return journals.flat();
}

function parseLine(line: string, pid: number): JournalLine {
  const [at, step = '', handlerId = '', eventId = '', attempt] = line.split(' ');
  return { pid, at: Number(at), step: step as Step, handlerId, eventId, attempt: Number(attempt) };
}
