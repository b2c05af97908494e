import {
  BooleanField,
  EventData,
  flatOrUnder,
  NestedArrayField,
  NestedField,
  ObjectField,
  StringField,
} from './event-fields.js';
import { ScalekitEventBase } from './scalekit-event.base.js';

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

const IDENTITY = flatOrUnder(['organization'], ['id', 'organization_id', 'external_id']);

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

  @EventData(() => OrganizationEventData, IDENTITY)
  readonly data!: OrganizationEventData;
}

/** An organization was updated. */
export class OrganizationUpdatedEvent extends ScalekitEventBase {
  override readonly type!: 'organization.updated';

  @EventData(() => OrganizationEventData, IDENTITY)
  readonly data!: OrganizationEventData;
}

/** An organization was deleted. */
export class OrganizationDeletedEvent extends ScalekitEventBase {
  override readonly type!: 'organization.deleted';

  @EventData(() => OrganizationEventData, IDENTITY)
  readonly data!: OrganizationEventData;
}
