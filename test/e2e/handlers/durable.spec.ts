import { afterEach, describe, expect, it } from '@jest/globals';
import { Inject, Injectable, Scope } from '@nestjs/common';
import { ContextIdFactory, type HostComponentInfo, REQUEST } from '@nestjs/core';
import { OnScalekitEvent, type ScalekitEventContext, ScalekitWebhooksModule } from 'nestjs-scalekit-webhooks';
import { createScalekitEvent, ScalekitWebhookTester } from 'nestjs-scalekit-webhooks/testing';
import { run } from '../../helpers/running-app.js';
import { ADAPTERS, SECRET } from '../../helpers/test-app.js';

// Nest has no way to remove a strategy.
afterEach(() => {
  Reflect.set(ContextIdFactory, 'strategy', undefined);
});

describe.each(ADAPTERS)('durable request-scoped handlers, on %s', (_name, adapter) => {
  it('are created once per tenant', async () => {
    const seen: string[] = [];
    const tree = new Map<string, { id: number }>();
    ContextIdFactory.apply({
      attach(contextId, request: ScalekitEventContext) {
        const tenant = String(request.event?.organization_id);
        const subTree = tree.get(tenant) ?? ContextIdFactory.create();
        tree.set(tenant, subTree);
        return {
          resolve: (info: HostComponentInfo) => (info.isTreeDurable ? subTree : contextId),
          payload: { tenant },
        };
      },
    });
    let made = 0;
    @Injectable({ scope: Scope.REQUEST, durable: true })
    class Tenant {
      constructor(@Inject(REQUEST) readonly payload: { tenant: string }) {
        made += 1;
      }
    }
    @Injectable({ scope: Scope.REQUEST, durable: true })
    class Handlers {
      constructor(private readonly tenant: Tenant) {}

      @OnScalekitEvent('organization.created')
      created() {
        seen.push(this.tenant.payload.tenant);
      }
    }
    const app = await run(adapter, {
      imports: [ScalekitWebhooksModule.forRoot({ signingSecret: SECRET })],
      providers: [Tenant, Handlers],
    });
    const scalekit = new ScalekitWebhookTester(app);

    for (const organization_id of ['org_1', 'org_2', 'org_1']) {
      await scalekit.deliver(createScalekitEvent('organization.created', { organization_id }));
    }

    expect(seen).toEqual(['org_1', 'org_2', 'org_1']);
    expect(made).toBe(2);
  });
});
