import { EventData, flatOrUnder } from './event-data.decorator.js';
import { ObjectField, StringField } from './event-field.decorators.js';
import { ScalekitEventBase } from './scalekit-event.base.js';

const IDENTITY = flatOrUnder(
  ['directory_group', 'group'],
  ['id', 'group_id', 'dp_id', 'display_name', 'name', 'external_id'],
);

/** A group as its directory describes it. */
export class DirectoryGroupEventData {
  /** `dirgroup_…` */
  @StringField()
  readonly id?: string | null;

  @StringField()
  readonly organization_id?: string | null;

  @StringField()
  readonly directory_id?: string | null;

  @StringField()
  readonly display_name?: string | null;

  @StringField()
  readonly external_id?: string | null;

  /** The id that the directory’s own provider has for the group. */
  @StringField()
  readonly dp_id?: string | null;

  @ObjectField()
  readonly raw_attributes?: Record<string, unknown> | null;
}

/** A directory added a group. */
export class DirectoryGroupCreatedEvent extends ScalekitEventBase {
  override readonly type!: 'organization.directory.group_created';

  @EventData(() => DirectoryGroupEventData, IDENTITY)
  readonly data!: DirectoryGroupEventData;
}

/** A directory changed a group. */
export class DirectoryGroupUpdatedEvent extends ScalekitEventBase {
  override readonly type!: 'organization.directory.group_updated';

  @EventData(() => DirectoryGroupEventData, IDENTITY)
  readonly data!: DirectoryGroupEventData;
}

/** A directory removed a group. */
export class DirectoryGroupDeletedEvent extends ScalekitEventBase {
  override readonly type!: 'organization.directory.group_deleted';

  @EventData(() => DirectoryGroupEventData, IDENTITY)
  readonly data!: DirectoryGroupEventData;
}
