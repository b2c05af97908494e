import { createHash } from 'node:crypto';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TransactionalEffects } from './effects.js';
import type { Journal } from './journal.js';
import { FAILURE_RATE } from './storm.settings.js';

/** What the handlers work with. */
export class HandlerTools {
  constructor(
    readonly journal: Journal,
    readonly seed: number,
    readonly users: UserDirectory,
    readonly effects?: TransactionalEffects,
  ) {}

  /** A random number that is the same for an attempt in every process. */
  draw(handlerId: string, eventId: string, attempt: number): number {
    const words = JSON.stringify([this.seed, handlerId, eventId, attempt]);
    return createHash('sha256').update(words).digest().readUInt32BE();
  }

  fails(handlerId: string, eventId: string, attempt: number): boolean {
    return this.draw(handlerId, eventId, attempt) % FAILURE_RATE === 0;
  }
}

/** The users that the application knows. All processes share them. */
export class UserDirectory {
  constructor(private readonly directory: string) {}

  add(id: string): void {
    writeFileSync(join(this.directory, id), '');
  }

  has(id: string): boolean {
    return existsSync(join(this.directory, id));
  }
}
