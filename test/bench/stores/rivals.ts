import type { ScalekitWebhooksOptions } from '../../../lib/index.js';

/** One of our inboxes, and the fewest writes that somebody could make do with instead, on one connection. */
export interface StoreRivals {
  readonly name: string;
  readonly bareName: string;
  /** The options of an application that uses it. */
  open(): Promise<ScalekitWebhooksOptions>;
  writeBare(payload: Buffer): Promise<unknown>;
  /** To be called when the application is closed. */
  close(): Promise<void>;
}
