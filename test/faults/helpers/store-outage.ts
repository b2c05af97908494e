import { expect } from '@jest/globals';
import { ExpressAdapter } from '@nestjs/platform-express';
import type { InboxStore } from 'nestjs-scalekit-webhooks';
import { aUserCreated, startScriptedApp } from '../../helpers/scripted-app.js';
import { until } from '../../helpers/until.js';

// Long enough for an outage to start before the handlers time out.
const HANDLER_TIMEOUT_MS = 1500;

/** How long the runs of {@link runsDuring} are leased. */
export const LEASE_MS = 2 * HANDLER_TIMEOUT_MS;

/** Makes a store fail. Resolves to a function that repairs it. */
export type Outage = () => Promise<() => unknown>;

// Makes deliveries too large for a database that is full.
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

/** Deliveries during the outage are answered with 503 while it lasts. Afterwards nothing is lost, and all works again. */
export async function expectToSurvive(inbox: InboxStore, outage: Outage): Promise<void> {
  const { send, acknowledged, statesOf, calls } = await startApp(inbox, 400);
  const [before, meanwhile] = [aUserCreated(), aUserCreated()];
  expect((await send(before)).status).toBe(201);
  const repair = await outage();

  const { status, headers } = await send(meanwhile);
  expect([status, headers.get('retry-after')]).toEqual([503, expect.stringMatching(/^[1-9]\d*$/)]);
  expect(calls()).toEqual([1, 1]);

  await repair();
  expect(await acknowledged(meanwhile)).toBe(201);
  expect(await acknowledged(before)).toBe(200);
  expect(calls()).toEqual([2, 2]);
  expect(await statesOf(meanwhile.id)).toEqual(['done', 'done']);
}

/** Starts an outage while handlers run: the delivery is answered with 503. Resolves to how often each handler ran in all. */
export async function runsDuring(inbox: InboxStore, outage: Outage): Promise<readonly number[]> {
  const { send, first, acknowledged, statesOf, calls } = await startApp(inbox, HANDLER_TIMEOUT_MS);
  const event = aUserCreated();
  let repair: (() => unknown) | undefined;
  first.mockImplementationOnce(async () => {
    repair = await outage();
  });

  expect((await send(event)).status).toBe(503);
  await repair?.();
  await acknowledged(event);
  expect(await statesOf(event.id)).toEqual(['done', 'done']);
  return calls();
}
