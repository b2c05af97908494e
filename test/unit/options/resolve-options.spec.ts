import { describe, expect, it } from '@jest/globals';
import { InlineTransport } from '../../../lib/dispatch/run.engine.js';
import { MemoryInboxStore } from '../../../lib/inbox/memory-inbox.store.js';
import { resolveEndpointOptions } from '../../../lib/receive/receive.options.js';
import { DEFAULT_STATUS_CODES } from '../../../lib/respond/outcome.js';
import { resolveOptions } from '../../../lib/scalekit-webhooks.resolve-options.js';

const ENDPOINT = { path: 'webhooks/scalekit', name: 'default' };

describe('resolveOptions', () => {
  it('fills in the documented defaults', () => {
    expect(resolveOptions({}, ENDPOINT)).toEqual({
      ...ENDPOINT,
      toleranceSeconds: 300,
      validation: 'strict',
      observers: [],
      handlerTimeoutMs: 9000,
      maxBodyBytes: 1_048_576,
      eventEmitter: false,
      inbox: expect.any(MemoryInboxStore),
      transport: expect.any(InlineTransport),
      statusCodes: DEFAULT_STATUS_CODES,
    });
  });

  it('keeps the given options, and freezes the result', () => {
    const inbox = new MemoryInboxStore();

    const options = resolveOptions({ inbox, statusCodes: { processed: 200 }, maxBodyBytes: 5 }, ENDPOINT);

    expect(options).toMatchObject({ inbox, statusCodes: { processed: 200, failed: 500 }, maxBodyBytes: 5 });
    expect([Object.isFrozen(options), Object.isFrozen(options.statusCodes)]).toEqual([true, true]);
  });

  it('gives each endpoint its own inbox', () => {
    expect(resolveOptions({}, ENDPOINT).inbox).not.toBe(resolveOptions({}, ENDPOINT).inbox);
  });

  it.each([
    ['env_1', ['env_1']],
    [
      ['env_1', 'env_2'],
      ['env_1', 'env_2'],
    ],
  ])('accepts %j as environments', (environmentId, expected) => {
    expect([...(resolveOptions({ environmentId }, ENDPOINT).environmentIds ?? [])]).toEqual(expected);
  });
});

describe('resolveEndpointOptions', () => {
  it('fills in the documented defaults', () => {
    expect(resolveEndpointOptions({})).toEqual(ENDPOINT);
  });

  it.each(['hooks', '/hooks', 'hooks/', '/hooks/'])('normalizes the path %s to hooks', (path) => {
    expect(resolveEndpointOptions({ path }).path).toBe('hooks');
  });
});
