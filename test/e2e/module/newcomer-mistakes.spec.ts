import { describe, expect, it } from '@jest/globals';
import { Controller, type INestApplication, type ModuleMetadata, Post } from '@nestjs/common';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import express from 'express';
import type { FastifyInstance } from 'fastify';
import {
  OnScalekitEvent,
  ScalekitWebhooksModule,
  type ScalekitWebhooksOptions,
  unlistedScalekitEvent,
} from 'nestjs-scalekit-webhooks';
import { createScalekitEvent, ScalekitWebhookTester } from 'nestjs-scalekit-webhooks/testing';
import { CapturedLogger } from '../../helpers/captured-logger.js';
import { MountedExpressAdapter } from '../../helpers/mounted-express.js';
import { PlainHandlers } from '../../helpers/plain-endpoint.js';
import { run } from '../../helpers/running-app.js';
import { ADAPTERS, type AdapterFactory, SECRET } from '../../helpers/test-app.js';
import { until } from '../../helpers/until.js';

const OTHER_SECRET = `whsec_${Buffer.alloc(32, 9).toString('base64')}`;

class Misspelt {
  @OnScalekitEvent(unlistedScalekitEvent('user.craeted'))
  created() {}
}

/** No module provides it. */
class Forgotten {
  @OnScalekitEvent('user.updated')
  updated() {}
}

class Shadowing {
  receive() {}
}
Controller('webhooks')(Shadowing);
Post('scalekit')(Shadowing.prototype, 'receive', { value: Shadowing.prototype.receive });

/** What a compiler makes of `@OnScalekitEvent('user.created') created = () => {}`. */
function arrowFunction() {
  class Arrow {
    created = () => {};
  }
  Reflect.apply(OnScalekitEvent('user.created'), undefined, [Arrow.prototype, 'created', undefined]);
  return Arrow;
}

interface Mistake {
  readonly what: string;
  /** The line names the fix. */
  readonly fix: RegExp;
  readonly options?: ScalekitWebhooksOptions;
  readonly metadata?: () => ModuleMetadata;
  readonly configure?: (app: INestApplication) => unknown;
  readonly adapters?: Readonly<Record<string, AdapterFactory>>;
  readonly path?: string;
}

/** A body parser that reads the request before the application does, and keeps nothing. */
const PARSED_BEFORE: Mistake['adapters'] = {
  express: () => new MountedExpressAdapter(express.json()),
  fastify: () => {
    const adapter = new FastifyAdapter();
    const fastify: FastifyInstance = adapter.getInstance();
    fastify.addHook('onRequest', async ({ raw }) => {
      for await (const chunk of raw) String(chunk);
    });
    return adapter;
  },
};

const MISTAKES: readonly Mistake[] = [
  {
    what: 'no secret',
    options: { signingSecret: [] },
    fix: /Set SCALEKIT_WEBHOOK_SECRET or the signingSecret/,
  },
  { what: 'a quoted secret', options: { signingSecret: `"${SECRET}"` }, fix: /is in quotes\. Remove them/ },
  {
    what: 'a wrong secret',
    options: { signingSecret: OTHER_SECRET },
    fix: /secret may belong to another endpoint/,
  },
  {
    what: 'a wrong path',
    path: '/scalekit/webhooks?source=test',
    fix: /"\/scalekit\/webhooks" got a 404.*change the URL .* so that it ends in \/webhooks\/scalekit/,
  },
  {
    what: 'a global guard',
    configure: (app) => app.useGlobalGuards({ canActivate: () => false }),
    fix: /exempt the endpoint with the controllerDecorators option/,
  },
  {
    what: 'a misspelt event name',
    metadata: () => ({ providers: [Misspelt] }),
    fix: /"user\.craeted", which matches no event type.*Check the spelling/,
  },
  {
    what: 'a class that no module provides',
    fix: new RegExp(`Add ${Forgotten.name} to a module's providers`),
  },
  {
    what: 'no class at all',
    metadata: () => ({ providers: [] }),
    fix: /Add the class that declares the handlers/,
  },
  {
    what: 'an arrow function',
    metadata: () => ({ providers: [arrowFunction()] }),
    fix: /not an instance method\. Use it on methods/,
  },
  {
    what: 'a shadowing route',
    metadata: () => ({ controllers: [Shadowing], providers: [PlainHandlers] }),
    fix: /Shadowing\.receive .*Remove that route or change its path/,
  },
  { what: 'an old body parser', adapters: PARSED_BEFORE, fix: /rawBody: true.*Remove body parsers/ },
];

describe.each(ADAPTERS)('One line names the fix, on %s, of', (name, adapter) => {
  it.each(MISTAKES)('$what', async ({ fix, options, metadata, configure, adapters, path, what }) => {
    const logger = new CapturedLogger();
    const lines = () => [...logger.ours('warn'), ...logger.ours('error')];
    try {
      const app = await run(
        adapters?.[name] ?? adapter,
        {
          imports: [ScalekitWebhooksModule.forRoot({ signingSecret: SECRET, ...options })],
          ...(metadata?.() ?? { providers: [PlainHandlers] }),
        },
        (host) => void configure?.(host),
        { logger },
      );
      const scalekit = new ScalekitWebhookTester(app, { secret: SECRET, ...(path && { path }) });
      const type = what === 'a class that no module provides' ? 'user.updated' : 'user.created';
      // A mistake that startup reports needs no delivery.
      if (lines().length === 0) await scalekit.deliver(createScalekitEvent(type));
      await until(lines, ({ length }) => length > 0);
      expect(lines()).toEqual([expect.stringMatching(fix)]);
    } catch (error) {
      if (lines().length > 0) throw error;
      expect(String(error)).toMatch(fix);
    }
  });

  it('a wrong path, but only once, and only for what looks signed', async () => {
    const logger = new CapturedLogger();
    const imports = ['one', 'two'].map((path) =>
      ScalekitWebhooksModule.forRoot({ name: path, path, signingSecret: SECRET }),
    );
    const app = await run(adapter, { imports, providers: [PlainHandlers] }, undefined, { logger });
    const elsewhere = new ScalekitWebhookTester(app, { secret: SECRET, path: '/elsewhere' });

    await fetch(`${await app.getUrl()}/elsewhere`, { method: 'POST', body: '{}' });
    expect(logger.ours('warn')).toEqual([]);
    await elsewhere.deliver(createScalekitEvent('user.created'));
    await elsewhere.deliver(createScalekitEvent('user.created'));
    await until(
      () => logger.ours('warn'),
      ({ length }) => length > 0,
    );
    expect(logger.ours('warn')).toEqual([expect.stringMatching(/"\/elsewhere" got a 404.* ends in \/one/)]);
  });
});
