import { openSync, writeSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * What happened to an attempt: it began; it made its effect; the inbox recorded its end (`settled`), refused to because
 * another attempt had taken over (`lapsed`), or could not be reached (`unsettled`).
 */
export type Step = 'begin' | 'effect' | 'settled' | 'lapsed' | 'unsettled';

/** One line of a journal. */
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

  write(step: Step, handlerId: string, eventId: string, attempt: number): void {
    writeSync(this.#file, `${Date.now()} ${step} ${handlerId} ${eventId} ${attempt}\n`);
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
