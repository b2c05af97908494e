import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  describeInboxStore as describePublished,
  type InboxStoreHarness,
} from 'nestjs-scalekit-webhooks/testing';

/** Runs the published conformance suite with Jest. */
export function describeInboxStore(name: string, makeHarness: () => Promise<InboxStoreHarness>): void {
  describePublished(name, makeHarness, { afterEach, beforeEach, describe, expect, it });
}
