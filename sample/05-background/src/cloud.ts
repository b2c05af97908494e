import { setTimeout as pause } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';

/** Stands in for a slow API. */
@Injectable()
export class Cloud {
  /** Creates storage and returns its address. The API creates it once for each key. */
  async createStorage(idempotencyKey: string, signal: AbortSignal): Promise<string> {
    await pause(2000, undefined, { signal });
    return `storage-${idempotencyKey.slice(0, 8)}`;
  }
}
