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

/** The fields of an organization that all events agree on. */
abstract class OrganizationFields {
  /** `org_…` */
  @StringField()
  readonly id?: string | null;

  @StringField()
  readonly display_name?: string | null;

  /** Your own id for it, where you have set one. */
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

/** An organization as it stands inside the data of an event. */
export class Organization extends OrganizationFields {
  @ObjectField()
  readonly settings?: Record<string, unknown> | null;
}

/** One feature of an organization, switched on or off. */
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

/** An organization. The reference puts its fields straight into `data`, the guide into `data.organization`. */
export class OrganizationEventData extends OrganizationFields {
  @StringField()
  readonly deleted_at?: string | null;

  @NestedField(() => OrganizationSettings)
  readonly settings?: OrganizationSettings | null;

  /** The place where the guide reads the same organization. */
  @NestedField(() => Organization)
  readonly organization?: Organization | null;
}

/** An organization was created. */
export class OrganizationCreatedEvent extends ScalekitEventBase {
  override readonly type!: 'organization.created';

  @EventData(() => OrganizationEventData, IDENTITY)
  readonly data!: OrganizationEventData;
}

/** An organization was changed. */
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
