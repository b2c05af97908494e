/** A delivery with one of our inboxes, and the fewest writes that somebody could make do with, on one connection. */
export interface StoreRivals {
  readonly name: string;
  readonly bareName: string;
  open(): Promise<void>;
  /** A new event: claim, handle, settle. */
  deliver(): Promise<unknown>;
  writeBare(): Promise<unknown>;
  close(): Promise<void>;
}
