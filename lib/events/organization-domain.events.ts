import { EventData, flatOrUnder, StringField } from './event-fields.js';
import { ScalekitEventBase } from './scalekit-event.base.js';

const IDENTITY = flatOrUnder(['organization_domain'], ['id', 'domain', 'domain_id']);

/** A domain of an organization. */
export class OrganizationDomainEventData {
  /** `dom_…` */
  @StringField()
  readonly id?: string | null;

  /** The name of the domain. */
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

  /** A secret: keep it out of logs. */
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

  @EventData(() => OrganizationDomainEventData, IDENTITY)
  readonly data!: OrganizationDomainEventData;
}

/** A domain was taken from an organization. */
export class OrganizationDomainDeletedEvent extends ScalekitEventBase {
  override readonly type!: 'organization.domain_deleted';

  @EventData(() => OrganizationDomainEventData, IDENTITY)
  readonly data!: OrganizationDomainEventData;
}

/** The DNS record that proves a domain was found. */
export class OrganizationDomainDnsVerificationSuccessEvent extends ScalekitEventBase {
  override readonly type!: 'organization.domain_dns_verification_success';

  @EventData(() => OrganizationDomainEventData, IDENTITY)
  readonly data!: OrganizationDomainEventData;
}

/** The DNS record that proves a domain was not found. */
export class OrganizationDomainDnsVerificationFailedEvent extends ScalekitEventBase {
  override readonly type!: 'organization.domain_dns_verification_failed';

  @EventData(() => OrganizationDomainEventData, IDENTITY)
  readonly data!: OrganizationDomainEventData;
}
