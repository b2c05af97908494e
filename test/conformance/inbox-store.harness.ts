// The published suite's own tools, for the specs of the stores.
export * from '../../lib/testing/conformance/inbox-store.harness.js';
