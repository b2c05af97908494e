import { expect } from '@jest/globals';
import { ExpressAdapter } from '@nestjs/platform-express';
import type { InboxStore } from 'nestjs-scalekit-webhooks';
import { aUserCreated, startScriptedApp } from '../../helpers/scripted-app.js';
import { until } from './until.js';

/** Makes a store ail, and gives the cure. */
export type Ailment = () => Promise<() => unknown>;

// So large that it fits into nothing that was there before.
const PADDING = ' '.repeat(200_000);

async function startApp(inbox: InboxStore, handlerTimeoutMs: number) {
  const app = await startScriptedApp(() => new ExpressAdapter(), { inbox, handlerTimeoutMs });
  const send = async (event: object) => app.scalekit.deliver(JSON.stringify(event) + PADDING);
  return {
    ...app,
    send,
    acknowledged: (event: object) =>
      until(
        async () => (await send(event)).status,
        (status) => status < 300,
      ),
    statesOf: async (eventId: string) =>
      (await inbox.get({ endpoint: 'default', eventId }))?.runs.map(({ state }) => state),
    calls: () => [app.first.mock.calls.length, app.second.mock.calls.length],
  };
}

/** Deliveries that come during an outage get 503, before it ends; they lose nothing, and all is well after it. */
export async function expectToOutlast(inbox: InboxStore, ailment: Ailment): Promise<void> {
  const { send, acknowledged, statesOf, calls } = await startApp(inbox, 400);
  const [before, meanwhile] = [aUserCreated(), aUserCreated()];
  expect((await send(before)).status).toBe(201);
  const cure = await ailment();

  const { status, headers } = await send(meanwhile);
  expect([status, headers.get('retry-after')]).toEqual([503, expect.stringMatching(/^[1-9]\d*$/)]);
  expect(calls()).toEqual([1, 1]);

  await cure();
  expect(await acknowledged(meanwhile)).toBe(201);
  expect(await acknowledged(before)).toBe(200);
  expect(calls()).toEqual([2, 2]);
  expect(await statesOf(meanwhile.id)).toEqual(['done', 'done']);
}

/** An outage that begins while handlers run has the delivery refused. Resolves to how often each handler ran in all. */
export async function runsAcross(inbox: InboxStore, ailment: Ailment): Promise<readonly number[]> {
  // Time enough for the outage to begin before the handlers' deadline.
  const { send, first, acknowledged, statesOf, calls } = await startApp(inbox, 1500);
  const event = aUserCreated();
  let cure: (() => unknown) | undefined;
  first.mockImplementationOnce(async () => {
    cure = await ailment();
  });

  expect((await send(event)).status).toBe(503);
  await cure?.();
  await acknowledged(event);
  expect(await statesOf(event.id)).toEqual(['done', 'done']);
  return calls();
}
