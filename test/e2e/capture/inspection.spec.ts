import { inspect } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import { ModulesContainer } from '@nestjs/core';
import { ScalekitWebhooksModule } from 'nestjs-scalekit-webhooks';
import { createScalekitEvent, ScalekitWebhookTester } from 'nestjs-scalekit-webhooks/testing';
import { aPlainEndpoint } from '../../helpers/plain-endpoint.js';
import { run } from '../../helpers/running-app.js';
import { ADAPTERS, SECRET } from '../../helpers/test-app.js';

const KEY = SECRET.slice('whsec_'.length);
const OF_THE_HTTP_EDGE =
  /Capture$|Reader$|Verifier$|Responder$|Guard$|Controller$|Filter$|^Endpoint(?!Handlers)/;

const shown = (value: unknown) => inspect(value, { depth: 8, showHidden: true, maxStringLength: null });

describe.each(ADAPTERS)('An application that logs its objects, on %s,', (_name, adapter) => {
  it('shows neither the signing secret nor the payload of a delivery with its request', async () => {
    const texts: string[] = [];
    const app = await run(adapter, aPlainEndpoint(), (host) =>
      host.useGlobalInterceptors({
        intercept: (context, next) => {
          const request = context.switchToHttp().getRequest();
          const { req: _request, res: _response, server: _server, ...own } = request;
          texts.push(shown({ ...own, routeOptions: request.routeOptions }));
          return next.handle();
        },
      }),
    );

    await new ScalekitWebhookTester(app).deliver(createScalekitEvent('user.created'));

    expect(texts).toHaveLength(1);
    expect(texts.join()).not.toContain(KEY);
    expect(texts.join()).not.toContain('sample.user@example.com');
  });

  it('shows no signing secret with what receives deliveries', async () => {
    const app = await run(adapter, aPlainEndpoint());
    const [module] = [...app.get(ModulesContainer).values()].filter(
      ({ metatype }) => metatype === ScalekitWebhooksModule,
    );
    const wrappers = [
      ...(module?.providers ?? []),
      ...(module?.controllers ?? []),
      ...(module?.injectables ?? []),
    ];
    const instances = wrappers.map(([, { instance }]) => instance as object);
    const ofTheEdge = instances.filter((each) => OF_THE_HTTP_EDGE.test(each.constructor.name));

    expect(ofTheEdge.length).toBeGreaterThanOrEqual(10);
    for (const instance of ofTheEdge) expect(shown(instance)).not.toContain(KEY);
    expect(shown(app.get(ScalekitWebhooksModule))).not.toContain(KEY);
  });
});
