import { describe, expect, it, jest } from '@jest/globals';
import { MemoryInboxStore, NonRetryableEventError } from 'nestjs-scalekit-webhooks';
import { ScalekitRecoveryError, type ScalekitRecoveryOptions } from 'nestjs-scalekit-webhooks/recovery';
import { holdDate } from '../../helpers/clock.js';
import { eventOf, HOUR, MINUTE, startRecoveryApp } from './recovery-app.js';

const DAY = 24 * HOUR;

describe('A recovery', () => {
  it('handles the events that never arrived, oldest first', async () => {
    const { api, recovery, handled } = await startRecoveryApp();
    api.add(eventOf(HOUR, 'evt_3'), eventOf(3 * HOUR, 'evt_1'), eventOf(2 * HOUR, 'evt_2'));

    expect(await recovery.recover()).toMatchObject({ read: 3, handled: 3, duplicates: 0, failed: 0 });

    expect(handled).toEqual(['evt_1', 'evt_2', 'evt_3']);
  });

  it('does not run handlers again for an event that came by webhook, before or after it', async () => {
    const { api, recovery, scalekit, handled } = await startRecoveryApp();
    const [before, after] = [eventOf(2 * HOUR, 'evt_before'), eventOf(HOUR, 'evt_after')];
    api.add(before, after);

    await scalekit.deliver(before);
    expect(await recovery.recover()).toMatchObject({ read: 2, handled: 1, duplicates: 1 });
    expect((await scalekit.deliver(after)).body).toMatchObject({ status: 'duplicate' });

    expect(handled).toEqual(['evt_before', 'evt_after']);
  });

  it('leaves a dead run dead', async () => {
    const { api, recovery, scalekit, users } = await startRecoveryApp();
    const event = eventOf(HOUR, 'evt_1');
    api.add(event);
    users.run.mockRejectedValueOnce(new NonRetryableEventError('no tenant'));
    await scalekit.deliver(event);

    expect(await recovery.recover()).toMatchObject({ read: 1, handled: 0, duplicates: 1 });
    expect(users.run).toHaveBeenCalledTimes(1);
  });

  it('reads only the types that the handlers take, unless eventTypes names others', async () => {
    const { api, recovery } = await startRecoveryApp();
    api.add(eventOf(HOUR, 'evt_1'), eventOf(HOUR, 'evt_2', 'user.deleted'));

    expect(await recovery.recover()).toMatchObject({ read: 1, handled: 1 });
    const since = new Date(Date.now() - DAY);
    expect(await recovery.recover({ since, eventTypes: ['user.deleted'] })).toMatchObject({
      read: 1,
      ignored: 1,
    });
  });

  it('reads only the events of an organization, if asked', async () => {
    const { api, recovery, handled } = await startRecoveryApp();
    const event = eventOf(HOUR, 'evt_1');
    api.add(event, eventOf(HOUR, 'evt_2'));

    await recovery.recover({ organizationId: event.organization_id ?? '' });

    expect(handled).toEqual(['evt_1']);
  });

  it('ends 2 minutes ago, because Scalekit is still delivering what happened since', async () => {
    const { api, recovery, handled } = await startRecoveryApp();
    api.add(eventOf(MINUTE, 'evt_new'), eventOf(3 * MINUTE, 'evt_old'));

    await recovery.recover();

    expect(handled).toEqual(['evt_old']);
  });

  it('begins 10 minutes before the end of the last one', async () => {
    const { api, recovery } = await startRecoveryApp();
    const { until } = await recovery.recover();
    api.add(eventOf(11 * MINUTE, 'evt_visible_late'));

    const { from, read } = await recovery.recover();

    expect(until.getTime() - from.getTime()).toBe(10 * MINUTE);
    expect(read).toBe(1);
  });

  it('reads at most 29 days back', async () => {
    const { api, recovery } = await startRecoveryApp();
    api.add(eventOf(30 * DAY, 'evt_too_old'), eventOf(28 * DAY, 'evt_old'));

    expect(await recovery.recover()).toMatchObject({ read: 1 });
  });

  it('warns if it cannot read back to the end of the last one', async () => {
    const { recovery, logger } = await startRecoveryApp({ options: { maxLookBackMs: 1 } });
    await recovery.recover();

    await recovery.recover();

    expect(logger.ours('warn')[0]).toMatch(/^The last recovery ended at .* use recover\(\{ since \}\)/);
  });

  it('says in one line what it did', async () => {
    const { api, recovery, logger } = await startRecoveryApp();
    api.add(eventOf(HOUR, 'evt_1'));

    await recovery.recover();

    expect(logger.ours('log').at(-1)).toMatch(
      /^Recovered \S+Z to \S+Z: read 1, handled 1, duplicates 0, ignored 0, failed 0, restarted 0$/,
    );
  });

  it('keeps an event whose handler fails in the inbox, and goes on', async () => {
    const { api, recovery, users, inbox, handled } = await startRecoveryApp();
    api.add(eventOf(2 * HOUR, 'evt_1'), eventOf(HOUR, 'evt_2'));
    users.run.mockRejectedValueOnce(new Error('no tenant yet'));

    expect(await recovery.recover()).toMatchObject({ handled: 1, failed: 1 });

    expect(handled).toEqual(['evt_2']);
    expect((await inbox.get('evt_1'))?.runs).toMatchObject([{ state: 'failed' }]);
  });

  it('reports an event that is invalid, and goes on', async () => {
    const { api, recovery, logger, handled } = await startRecoveryApp();
    const invalid = { ...eventOf(2 * HOUR, 'evt_1'), data: { user: { id: 'usr_1', email: 7 } } };
    api.add(invalid, eventOf(HOUR, 'evt_2'));

    expect(await recovery.recover()).toMatchObject({ read: 2, handled: 1, failed: 1 });

    expect(handled).toEqual(['evt_2']);
    expect(logger.ours('warn')[0]).toMatch(
      /^The Events API returned evt_1 \(user\.created\), which was skipped\..*data\.user\.email/,
    );
  });

  it('only counts in a dry run', async () => {
    const { api, recovery, scalekit, handled, inbox } = await startRecoveryApp();
    const known = eventOf(2 * HOUR, 'evt_known');
    api.add(known, eventOf(HOUR, 'evt_missing'), { ...eventOf(HOUR, 'evt_invalid'), data: {} });
    await scalekit.deliver(known);

    expect(await recovery.recover({ dryRun: true })).toMatchObject({
      read: 3,
      handled: 1,
      duplicates: 1,
      failed: 1,
    });

    expect(handled).toEqual(['evt_known']);
    expect(await inbox.count()).toBe(1);
    expect(await recovery.recover()).toMatchObject({ handled: 1 });
  });

  it.each([
    ['since', { since: new Date(Date.now() - DAY) }],
    ['until', { until: new Date(Date.now() - HOUR) }],
    ['eventTypes', { eventTypes: ['user.created'] }],
    ['organizationId', { organizationId: 'org_1' }],
  ])('with %s does not move the checkpoint, because it does not read everything', async (_, options) => {
    const { api, recovery } = await startRecoveryApp();
    await recovery.recover(options);
    api.add(eventOf(DAY - MINUTE, 'evt_1'));

    expect(await recovery.recover()).toMatchObject({ read: 1 });
  });

  it('refuses a since that is not before until', async () => {
    const { recovery } = await startRecoveryApp();
    const now = new Date();

    await expect(recovery.recover({ since: now, until: now })).rejects.toMatchObject({ setting: 'since' });
  });
});

describe('A recovery into the memory inbox', () => {
  it('is not scheduled, and says so', async () => {
    const { logger, api } = await startRecoveryApp({
      inbox: new MemoryInboxStore(),
      options: { onStart: true },
    });

    expect(logger.ours('warn')).toContainEqual(
      expect.stringMatching(/^Missed events are not recovered on a schedule/),
    );
    expect(api.requests).toBe(0);
  });

  it('needs since, and warns that duplicates are unknown after a restart', async () => {
    const { api, recovery, logger, handled } = await startRecoveryApp({ inbox: new MemoryInboxStore() });
    api.add(eventOf(HOUR, 'evt_1'));

    await expect(recovery.recover()).rejects.toMatchObject({ setting: 'since' });
    expect(await recovery.recover({ since: new Date(Date.now() - DAY) })).toMatchObject({ handled: 1 });

    expect(handled).toEqual(['evt_1']);
    expect(logger.ours('warn').at(-1)).toMatch(/^Recovering into MemoryInboxStore: .* unknown/);
  });
});

describe('Two recoveries of an endpoint at once', () => {
  it('are one: the other is refused, and can be repeated afterwards', async () => {
    const { api, recovery, handled } = await startRecoveryApp();
    api.add(eventOf(HOUR, 'evt_1'));

    const first = recovery.recover();
    await expect(recovery.recover()).rejects.toThrow(ScalekitRecoveryError);
    await first;
    await recovery.recover();

    expect(handled).toEqual(['evt_1']);
  });
});

describe('ScalekitRecoveryModule', () => {
  it('refuses an endpoint that does not exist', async () => {
    await expect(startRecoveryApp({ options: Object({ endpoint: 'live' }) })).rejects.toMatchObject({
      setting: 'endpoint',
    });
  });

  it('refuses a client that cannot list events', async () => {
    await expect(startRecoveryApp({ options: { client: Object({ events: {} }) } })).rejects.toMatchObject({
      setting: 'client',
    });
  });
});

describe('Runs of the inbox that nobody retries any more', () => {
  /** An application with a run that failed, or that is dead, and whose clock the test holds from then on. */
  async function appWithRun(error: Error, options: Partial<ScalekitRecoveryOptions> = {}) {
    const app = await startRecoveryApp({ options });
    app.users.run.mockRejectedValueOnce(error);
    await app.scalekit.deliver(eventOf(HOUR, 'evt_1'));
    holdDate();
    return app;
  }

  const pass = (ms: number) => jest.setSystemTime(Date.now() + ms);

  it('start again once they failed more than 28 hours ago, the longest that Scalekit retries', async () => {
    const { recovery, handled } = await appWithRun(new Error('database down'));
    pass(28 * HOUR - MINUTE);
    expect(await recovery.recover()).toMatchObject({ read: 0, restarted: 0 });

    pass(2 * MINUTE);
    expect(await recovery.recover()).toMatchObject({ read: 0, restarted: 1 });
    expect(await recovery.recover()).toMatchObject({ restarted: 0 });

    expect(handled).toEqual(['evt_1']);
  });

  it('start again sooner if abandonedAfterMs says so', async () => {
    const { recovery, handled } = await appWithRun(new Error('down'), { abandonedAfterMs: 30 * MINUTE });
    pass(29 * MINUTE);
    expect(await recovery.recover()).toMatchObject({ restarted: 0 });

    pass(2 * MINUTE);
    expect(await recovery.recover()).toMatchObject({ restarted: 1 });

    expect(handled).toEqual(['evt_1']);
  });

  it('wait for 28 hours again if they fail again', async () => {
    const { recovery, users, handled } = await appWithRun(new Error('down'));
    users.run.mockRejectedValueOnce(new Error('still down'));
    pass(29 * HOUR);
    expect(await recovery.recover()).toMatchObject({ restarted: 1 });

    expect(await recovery.recover()).toMatchObject({ restarted: 0 });
    pass(29 * HOUR);
    expect(await recovery.recover()).toMatchObject({ restarted: 1 });

    expect(handled).toEqual(['evt_1']);
  });

  it('are left alone if they are dead, however long ago, unless includeDead asks for them', async () => {
    const { recovery, handled } = await appWithRun(new NonRetryableEventError('no tenant'));
    pass(7 * DAY);

    expect(await recovery.recover()).toMatchObject({ restarted: 0 });
    expect(await recovery.recover({ includeDead: true })).toMatchObject({ restarted: 1 });

    expect(handled).toEqual(['evt_1']);
  });

  it('are not started by a dry run', async () => {
    const { recovery, handled } = await appWithRun(new Error('down'));
    pass(29 * HOUR);

    expect(await recovery.recover({ dryRun: true, includeDead: true })).toMatchObject({ restarted: 0 });

    expect(handled).toEqual([]);
  });
});
