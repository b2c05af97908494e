import { describe, expect, it } from '@jest/globals';
import { InboxTransport, OnScalekitEvent, type ScalekitEvent } from 'nestjs-scalekit-webhooks';
import { createScalekitEvent, SimulatedEventsApi } from 'nestjs-scalekit-webhooks/testing';
import { until } from '../../helpers/until.js';
import { HOUR, startRecoveryApp } from './recovery-app.js';

class History {
  readonly handled: string[] = [];
  #failures = 2;

  @OnScalekitEvent('user.updated', { id: 'History.add', order: 'entity' })
  add({ id }: ScalekitEvent<'user.updated'>) {
    if (id === 'evt_b1' && this.#failures-- > 0) throw new Error('not yet');
    this.handled.push(id);
  }
}

function updateOf(user: string, agoMs: number, id: string) {
  const occurred_at = new Date(Date.now() - agoMs).toISOString();
  return createScalekitEvent('user.updated', { id, occurred_at, data: { user: { id: user } } });
}

describe("Recovered events of a handler with order: 'entity'", () => {
  it('are handled oldest first, and one that fails holds back those of its entity', async () => {
    const api = new SimulatedEventsApi();
    const { app, recovery } = await startRecoveryApp({
      api,
      webhooks: { transport: new InboxTransport({ backoff: 50 }) },
      handlers: [History],
    });
    const { handled } = app.get(History);
    // The API lists the newest first, in pages, and those of one entity are not next to each other.
    const ids = (user: string) => Array.from({ length: 60 }, (_, index) => `evt_${user}${60 - index}`);
    api.add(
      ...ids('a').map((id, index) => updateOf('usr_a', HOUR + index * 1000, id)),
      ...ids('b').map((id, index) => updateOf('usr_b', HOUR + index * 1000, id)),
    );

    expect(await recovery.recover()).toMatchObject({ read: 120, handled: 120 });
    await until(
      () => handled.length,
      (length) => length === 120,
    );

    for (const user of ['a', 'b']) {
      expect(handled.filter((id) => id.startsWith(`evt_${user}`))).toEqual(ids(user).reverse());
    }
  });
});
