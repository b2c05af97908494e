import { EventData, flatOrUnder, StringField } from './event-fields.js';
import { ScalekitEventBase } from './scalekit-event.base.js';

const IDENTITY = flatOrUnder(['organization_domain'], ['id', 'domain', 'domain_id']);

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

  @EventData(() => OrganizationDomainEventData, IDENTITY)
  readonly data!: OrganizationDomainEventData;
}

/** A domain was deleted from an organization. */
export class OrganizationDomainDeletedEvent extends ScalekitEventBase {
  override readonly type!: 'organization.domain_deleted';

  @EventData(() => OrganizationDomainEventData, IDENTITY)
  readonly data!: OrganizationDomainEventData;
}

/** The DNS verification of a domain succeeded. */
export class OrganizationDomainDnsVerificationSuccessEvent extends ScalekitEventBase {
  override readonly type!: 'organization.domain_dns_verification_success';

  @EventData(() => OrganizationDomainEventData, IDENTITY)
  readonly data!: OrganizationDomainEventData;
}

/** The DNS verification of a domain failed. */
export class OrganizationDomainDnsVerificationFailedEvent extends ScalekitEventBase {
  override readonly type!: 'organization.domain_dns_verification_failed';

  @EventData(() => OrganizationDomainEventData, IDENTITY)
  readonly data!: OrganizationDomainEventData;
}
