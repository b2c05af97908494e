// The tools of the published suite, shared with the specs of the stores.
export * from '../../lib/testing/conformance/inbox-store.harness.js';
