import { EventData, flatOrUnder } from './event-data.decorator.js';
import { BooleanField, StringField } from './event-field.decorators.js';
import { ScalekitEventBase } from './scalekit-event.base.js';

const IDENTITY = flatOrUnder(['directory'], ['id', 'directory_id', 'organization_id']);

/** A directory that provisions users and groups. */
export class DirectoryEventData {
  /** `dir_…` */
  @StringField()
  readonly id?: string | null;

  @StringField()
  readonly organization_id?: string | null;

  @StringField()
  readonly directory_type?: string | null;

  @StringField()
  readonly provider?: string | null;

  @BooleanField()
  readonly enabled?: boolean | null;

  @StringField()
  readonly updated_at?: string | null;
}

/** A directory was switched on. */
export class OrganizationDirectoryEnabledEvent extends ScalekitEventBase {
  override readonly type!: 'organization.directory_enabled';

  @EventData(() => DirectoryEventData, IDENTITY)
  readonly data!: DirectoryEventData;
}

/** A directory was switched off. */
export class OrganizationDirectoryDisabledEvent extends ScalekitEventBase {
  override readonly type!: 'organization.directory_disabled';

  @EventData(() => DirectoryEventData, IDENTITY)
  readonly data!: DirectoryEventData;
}

/** A directory was deleted. */
export class OrganizationDirectoryDeletedEvent extends ScalekitEventBase {
  override readonly type!: 'organization.directory_deleted';

  @EventData(() => DirectoryEventData, IDENTITY)
  readonly data!: DirectoryEventData;
}
