import { BooleanField, EventData, flatOrUnder, StringField } from './event-fields.js';
import { ScalekitEventBase } from './scalekit-event.base.js';

const IDENTITY = flatOrUnder(['connection'], ['id', 'connection_id', 'organization_id']);

/** A single sign-on connection of an organization. */
export class ConnectionEventData {
  /** `conn_…` */
  @StringField()
  readonly id?: string | null;

  @StringField()
  readonly organization_id?: string | null;

  @StringField()
  readonly connection_type?: string | null;

  @StringField()
  readonly provider?: string | null;

  @BooleanField()
  readonly enabled?: boolean | null;

  @StringField()
  readonly status?: string | null;
}

/** An SSO connection was created. */
export class OrganizationSsoCreatedEvent extends ScalekitEventBase {
  override readonly type!: 'organization.sso_created';

  @EventData(() => ConnectionEventData, IDENTITY)
  readonly data!: ConnectionEventData;
}

/** An SSO connection was enabled. */
export class OrganizationSsoEnabledEvent extends ScalekitEventBase {
  override readonly type!: 'organization.sso_enabled';

  @EventData(() => ConnectionEventData, IDENTITY)
  readonly data!: ConnectionEventData;
}

/** An SSO connection was disabled. */
export class OrganizationSsoDisabledEvent extends ScalekitEventBase {
  override readonly type!: 'organization.sso_disabled';

  @EventData(() => ConnectionEventData, IDENTITY)
  readonly data!: ConnectionEventData;
}

/** An SSO connection was deleted. */
export class OrganizationSsoDeletedEvent extends ScalekitEventBase {
  override readonly type!: 'organization.sso_deleted';

  @EventData(() => ConnectionEventData, IDENTITY)
  readonly data!: ConnectionEventData;
}
