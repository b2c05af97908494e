import { beforeEach, describe, expect, it } from '@jest/globals';
import type { AbstractHttpAdapter } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import express from 'express';
import { fastify } from 'fastify';
import { DEFAULT_STATUS_CODES } from '../../../lib/respond/outcome.js';
import { holdClock } from '../../helpers/clock.js';
import { MountedExpressAdapter } from '../../helpers/mounted-express.js';
import { aUserCreated, startScriptedApp } from '../../helpers/scripted-app.js';
import { ADAPTERS } from '../../helpers/test-app.js';
import { bodyOf, INTERNAL, SCENARIOS } from './outcome.scenarios.js';

// The headers that the platforms add themselves, and Retry-After.
const HARMLESS_HEADERS: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'content-type',
  'date',
  'etag',
  'keep-alive',
  'retry-after',
  'x-powered-by',
]);

/** Hosts that read the body before Nest sees the request. */
const GREEDY: Readonly<Record<string, () => AbstractHttpAdapter>> = {
  express: () => new MountedExpressAdapter(express.json()),
  fastify: () => {
    const instance = fastify();
    instance.addHook('onRequest', async ({ raw }) => {
      await raw.toArray();
    });
    return new FastifyAdapter(instance);
  },
};

describe.each(ADAPTERS)('the outcome, on %s,', (name, adapter) => {
  beforeEach(() => {
    holdClock();
  });

  it.each(SCENARIOS)('$outcome is answered with $status when $when', async (scenario) => {
    const app = await startScriptedApp(adapter, scenario.options?.());

    const { status, body, headers } = await scenario.play(app);

    expect({ status, body, retryAfter: headers.get('retry-after') ?? undefined }).toEqual({
      status: scenario.status,
      body: bodyOf(scenario),
      retryAfter: scenario.retryAfter,
    });
    expect(headers.get('content-type')).toMatch(/^application\/json\b/);
    expect([...headers.keys()].filter((header) => !HARMLESS_HEADERS.has(header))).toEqual([]);
    expect([...headers.values()].join()).not.toContain(INTERNAL);
  });

  it('misconfigured is answered with 500 when something else has read the body', async () => {
    const { scalekit, first, logger } = await startScriptedApp(GREEDY[name] ?? adapter);

    const { status, body } = await scalekit.deliver(aUserCreated());

    expect({ status, body }).toEqual({ status: 500, body: { received: false } });
    expect(first).not.toHaveBeenCalled();
    expect(logger.ours('error')).toEqual([expect.stringContaining('Remove body parsers')]);
  });

  it('has the status that the statusCodes option sets', async () => {
    const { scalekit, first } = await startScriptedApp(adapter, {
      statusCodes: { processed: 200, failed: 503, unauthenticated: 403 },
    });

    const processed = await scalekit.deliver(aUserCreated());
    const refused = await scalekit.withoutSignature(aUserCreated());
    first.mockRejectedValue(new Error('broken'));
    const failed = await scalekit.deliver(aUserCreated());

    expect([processed, refused, failed].map(({ status }) => status)).toEqual([200, 403, 503]);
  });
});

describe('the outcome table', () => {
  it('has a scenario for each of its rows', () => {
    const played = new Set([...SCENARIOS.map(({ outcome }) => outcome), 'misconfigured']);

    expect([...played].sort()).toEqual(Object.keys(DEFAULT_STATUS_CODES).sort());
  });
});
