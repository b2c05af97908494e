import { describe, expect, it } from '@jest/globals';
import { InboxTransport, OnScalekitEvent, type ScalekitEvent } from 'nestjs-scalekit-webhooks';
import { sqliteFile } from '../../helpers/sqlite-files.js';
import { until } from '../../helpers/until.js';
import { eventOf, HOUR, sqliteInbox, startRecoveryApp } from './recovery-app.js';

const IDS = ['evt_1', 'evt_2', 'evt_3'];

/** Handlers that a new version of the application adds. */
class WelcomeMail {
  readonly handled: string[] = [];

  @OnScalekitEvent('user.created', { id: 'WelcomeMail.send' })
  send({ id }: ScalekitEvent<'user.created'>) {
    this.handled.push(id);
  }

  @OnScalekitEvent('user.deleted', { id: 'WelcomeMail.stop' })
  stop({ id }: ScalekitEvent<'user.deleted'>) {
    this.handled.push(id);
  }
}

/** An application that has handled three events is replaced by one that has two new handlers. */
async function addHandlers(transport?: InboxTransport) {
  const file = await sqliteFile();
  const before = await startRecoveryApp({ inbox: await sqliteInbox(file) });
  for (const id of IDS) await before.scalekit.deliver(eventOf(HOUR, id));
  before.api.add(eventOf(HOUR, 'evt_deleted', 'user.deleted'));
  await before.app.close();
  const after = await startRecoveryApp({
    api: before.api,
    inbox: await sqliteInbox(file),
    webhooks: { transport },
    handlers: [WelcomeMail],
  });
  return { ...after, welcomed: after.app.get(WelcomeMail).handled };
}

describe('A backfill of a new handler', () => {
  it('runs it for the events that others have handled, and no other handler', async () => {
    const { inbox, handled, welcomed } = await addHandlers();

    expect(await inbox.replay({ type: 'user.created' }, { handlers: ['WelcomeMail.send'] })).toEqual({
      processed: 3,
    });

    expect(welcomed).toEqual(IDS);
    expect(handled).toEqual([]);
    expect((await inbox.get('evt_1'))?.runs).toMatchObject([
      { handlerId: 'Users.created', state: 'done', attempts: 1 },
      { handlerId: 'WelcomeMail.send', state: 'done', attempts: 1 },
    ]);
  });

  it('leaves it to the workers of InboxTransport', async () => {
    const { inbox, handled, welcomed } = await addHandlers(new InboxTransport({ pollIntervalMs: 20 }));

    expect(await inbox.replay({ type: 'user.created' }, { handlers: ['WelcomeMail.send'] })).toEqual({
      accepted: 3,
    });
    await until(
      () => welcomed.length,
      (length) => length === 3,
    );

    expect([...welcomed].sort()).toEqual(IDS);
    expect(handled).toEqual([]);
  });

  it('reads events of a type that no handler took before from the Events API', async () => {
    const { recovery, welcomed } = await addHandlers();

    expect(
      await recovery.recover({ since: new Date(Date.now() - 2 * HOUR), eventTypes: ['user.deleted'] }),
    ).toMatchObject({ read: 1, handled: 1 });

    expect(welcomed).toEqual(['evt_deleted']);
  });
});
