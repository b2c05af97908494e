import { EventData, flatOrUnder, ScalekitEventBase, StringField } from './scalekit-event.base.js';

const IDENTITY = flatOrUnder(
  ['connected_account', 'account'],
  ['id', 'connected_account_id', 'identifier', 'connection_id', 'connection_name'],
);

/** The fields that all connected account events share. */
export abstract class ConnectedAccountFields {
  /** `ca_…` */
  @StringField()
  readonly id?: string | null;

  /** Your own identifier for the owner of the account. */
  @StringField()
  readonly identifier?: string | null;

  @StringField()
  readonly connection_id?: string | null;

  @StringField()
  readonly connection_name?: string | null;

  @StringField()
  readonly provider?: string | null;

  @StringField()
  readonly authorization_type?: string | null;

  @StringField()
  readonly status?: string | null;
}

/** An account that a user connected to your application. */
export class ConnectedAccountEventData extends ConnectedAccountFields {
  @StringField()
  readonly token_expires_at?: string | null;

  @StringField()
  readonly last_used_at?: string | null;
}

/** A connected account and its previous status. */
export class ConnectedAccountStatusUpdatedEventData extends ConnectedAccountFields {
  @StringField()
  readonly old_status?: string | null;
}

/** A connected account was created. */
export class ConnectedAccountCreatedEvent extends ScalekitEventBase {
  override readonly type!: 'connected_account.created';

  @EventData(() => ConnectedAccountEventData, IDENTITY)
  readonly data!: ConnectedAccountEventData;
}

/** A connected account was updated. */
export class ConnectedAccountUpdatedEvent extends ScalekitEventBase {
  override readonly type!: 'connected_account.updated';

  @EventData(() => ConnectedAccountEventData, IDENTITY)
  readonly data!: ConnectedAccountEventData;
}

/** The status of a connected account changed. */
export class ConnectedAccountStatusUpdatedEvent extends ScalekitEventBase {
  override readonly type!: 'connected_account.status_updated';

  @EventData(() => ConnectedAccountStatusUpdatedEventData, IDENTITY)
  readonly data!: ConnectedAccountStatusUpdatedEventData;
}

/** A connected account was deleted. */
export class ConnectedAccountDeletedEvent extends ScalekitEventBase {
  override readonly type!: 'connected_account.deleted';

  @EventData(() => ConnectedAccountEventData, IDENTITY)
  readonly data!: ConnectedAccountEventData;
}

/** A magic link to connect an account was generated. */
export class ConnectedAccountMagicLinkGeneratedEvent extends ScalekitEventBase {
  override readonly type!: 'connected_account.magic_link_generated';

  @EventData(() => ConnectedAccountEventData, IDENTITY)
  readonly data!: ConnectedAccountEventData;
}

/** The OAuth tokens of a connected account were fetched. */
export class ConnectedAccountOauthTokensFetchedEvent extends ScalekitEventBase {
  override readonly type!: 'connected_account.oauth_tokens_fetched';

  @EventData(() => ConnectedAccountEventData, IDENTITY)
  readonly data!: ConnectedAccountEventData;
}

/** The token of a connected account was refreshed. */
export class ConnectedAccountTokenRefreshSucceededEvent extends ScalekitEventBase {
  override readonly type!: 'connected_account.token_refresh_succeeded';

  @EventData(() => ConnectedAccountEventData, IDENTITY)
  readonly data!: ConnectedAccountEventData;
}

/** The token of a connected account could not be refreshed. */
export class ConnectedAccountTokenRefreshFailedEvent extends ScalekitEventBase {
  override readonly type!: 'connected_account.token_refresh_failed';

  @EventData(() => ConnectedAccountEventData, IDENTITY)
  readonly data!: ConnectedAccountEventData;
}

/** A user completed the OAuth flow of a connected account. */
export class ConnectedAccountOauthSucceededEvent extends ScalekitEventBase {
  override readonly type!: 'connected_account.oauth_succeeded';

  @EventData(() => ConnectedAccountEventData, IDENTITY)
  readonly data!: ConnectedAccountEventData;
}
