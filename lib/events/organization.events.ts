import {
  BooleanField,
  EventData,
  flatOrUnder,
  NestedArrayField,
  NestedField,
  ObjectField,
  ScalekitEventBase,
  StringField,
} from './scalekit-event.base.js';

/** The fields of an organization that are the same in all events. */
abstract class OrganizationFields {
  /** `org_…` */
  @StringField()
  readonly id?: string | null;

  @StringField()
  readonly display_name?: string | null;

  /** Your own id for the organization, if you set one. */
  @StringField()
  readonly external_id?: string | null;

  @StringField()
  readonly region_code?: string | null;

  @StringField()
  readonly create_time?: string | null;

  @StringField()
  readonly update_time?: string | null;

  @ObjectField()
  readonly metadata?: Record<string, unknown> | null;
}

/** An organization nested in the data of an event. */
export class Organization extends OrganizationFields {
  @ObjectField()
  readonly settings?: Record<string, unknown> | null;
}

/** A feature of an organization. */
export class OrganizationFeature {
  @StringField()
  readonly name?: string | null;

  @BooleanField()
  readonly enabled?: boolean | null;
}

/** The settings of an organization. */
export class OrganizationSettings {
  @NestedArrayField(() => OrganizationFeature)
  readonly features?: readonly OrganizationFeature[] | null;
}

const ORGANIZATION_IDENTITY = flatOrUnder(['organization'], ['id', 'organization_id', 'external_id']);

/** An organization. Scalekit's API reference puts its fields in `data`, its guide in `data.organization`. */
export class OrganizationEventData extends OrganizationFields {
  @StringField()
  readonly deleted_at?: string | null;

  @NestedField(() => OrganizationSettings)
  readonly settings?: OrganizationSettings | null;

  /** The organization, as in Scalekit's guide. */
  @NestedField(() => Organization)
  readonly organization?: Organization | null;
}

/** An organization was created. */
export class OrganizationCreatedEvent extends ScalekitEventBase {
  override readonly type!: 'organization.created';

  @EventData(() => OrganizationEventData, ORGANIZATION_IDENTITY)
  readonly data!: OrganizationEventData;
}

/** An organization was updated. */
export class OrganizationUpdatedEvent extends ScalekitEventBase {
  override readonly type!: 'organization.updated';

  @EventData(() => OrganizationEventData, ORGANIZATION_IDENTITY)
  readonly data!: OrganizationEventData;
}

/** An organization was deleted. */
export class OrganizationDeletedEvent extends ScalekitEventBase {
  override readonly type!: 'organization.deleted';

  @EventData(() => OrganizationEventData, ORGANIZATION_IDENTITY)
  readonly data!: OrganizationEventData;
}

const DOMAIN_IDENTITY = flatOrUnder(['organization_domain'], ['id', 'domain', 'domain_id']);

/** A domain of an organization. */
export class OrganizationDomainEventData {
  /** `dom_…` */
  @StringField()
  readonly id?: string | null;

  /** The domain name. */
  @StringField()
  readonly domain?: string | null;

  @StringField()
  readonly domain_type?: string | null;

  @StringField()
  readonly organization_id?: string | null;

  @StringField()
  readonly environment_id?: string | null;

  @StringField()
  readonly txt_record_key?: string | null;

  /** Sensitive. Do not log it. */
  @StringField()
  readonly txt_record_secret?: string | null;

  @StringField()
  readonly verification_status?: string | null;

  @StringField()
  readonly verification_method?: string | null;

  @StringField()
  readonly updated_at?: string | null;
}

/** A domain was added to an organization. */
export class OrganizationDomainCreatedEvent extends ScalekitEventBase {
  override readonly type!: 'organization.domain_created';

  @EventData(() => OrganizationDomainEventData, DOMAIN_IDENTITY)
  readonly data!: OrganizationDomainEventData;
}

/** A domain was deleted from an organization. */
export class OrganizationDomainDeletedEvent extends ScalekitEventBase {
  override readonly type!: 'organization.domain_deleted';

  @EventData(() => OrganizationDomainEventData, DOMAIN_IDENTITY)
  readonly data!: OrganizationDomainEventData;
}

/** The DNS verification of a domain succeeded. */
export class OrganizationDomainDnsVerificationSuccessEvent extends ScalekitEventBase {
  override readonly type!: 'organization.domain_dns_verification_success';

  @EventData(() => OrganizationDomainEventData, DOMAIN_IDENTITY)
  readonly data!: OrganizationDomainEventData;
}

/** The DNS verification of a domain failed. */
export class OrganizationDomainDnsVerificationFailedEvent extends ScalekitEventBase {
  override readonly type!: 'organization.domain_dns_verification_failed';

  @EventData(() => OrganizationDomainEventData, DOMAIN_IDENTITY)
  readonly data!: OrganizationDomainEventData;
}

const CONNECTION_IDENTITY = flatOrUnder(['connection'], ['id', 'connection_id', 'organization_id']);

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

  @EventData(() => ConnectionEventData, CONNECTION_IDENTITY)
  readonly data!: ConnectionEventData;
}

/** An SSO connection was enabled. */
export class OrganizationSsoEnabledEvent extends ScalekitEventBase {
  override readonly type!: 'organization.sso_enabled';

  @EventData(() => ConnectionEventData, CONNECTION_IDENTITY)
  readonly data!: ConnectionEventData;
}

/** An SSO connection was disabled. */
export class OrganizationSsoDisabledEvent extends ScalekitEventBase {
  override readonly type!: 'organization.sso_disabled';

  @EventData(() => ConnectionEventData, CONNECTION_IDENTITY)
  readonly data!: ConnectionEventData;
}

/** An SSO connection was deleted. */
export class OrganizationSsoDeletedEvent extends ScalekitEventBase {
  override readonly type!: 'organization.sso_deleted';

  @EventData(() => ConnectionEventData, CONNECTION_IDENTITY)
  readonly data!: ConnectionEventData;
}
