import { EventData, flatOrUnder } from './event-data.decorator.js';
import { NestedField, StringField } from './event-field.decorators.js';
import { Organization, OrganizationFields, OrganizationSettings } from './organization.data.js';
import { ScalekitEventBase } from './scalekit-event.base.js';

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
