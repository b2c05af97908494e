import {
  BooleanField,
  EventData,
  flatOrUnder,
  NestedArrayField,
  ObjectField,
  ScalekitEventBase,
  StringField,
} from './scalekit-event.base.js';

const DIRECTORY_IDENTITY = flatOrUnder(['directory'], ['id', 'directory_id', 'organization_id']);

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

/** A directory was enabled. */
export class OrganizationDirectoryEnabledEvent extends ScalekitEventBase {
  override readonly type!: 'organization.directory_enabled';

  @EventData(() => DirectoryEventData, DIRECTORY_IDENTITY)
  readonly data!: DirectoryEventData;
}

/** A directory was disabled. */
export class OrganizationDirectoryDisabledEvent extends ScalekitEventBase {
  override readonly type!: 'organization.directory_disabled';

  @EventData(() => DirectoryEventData, DIRECTORY_IDENTITY)
  readonly data!: DirectoryEventData;
}

/** A directory was deleted. */
export class OrganizationDirectoryDeletedEvent extends ScalekitEventBase {
  override readonly type!: 'organization.directory_deleted';

  @EventData(() => DirectoryEventData, DIRECTORY_IDENTITY)
  readonly data!: DirectoryEventData;
}

const DIRECTORY_USER_IDENTITY = flatOrUnder(
  ['directory_user', 'user'],
  ['id', 'user_id', 'email', 'dp_id', 'preferred_username', 'employee_id', 'external_id', 'name'],
);

/** A group of a directory user. */
export class DirectoryUserGroup {
  @StringField()
  readonly id?: string | null;

  @StringField()
  readonly name?: string | null;
}

/** A role of a directory user. */
export class DirectoryUserRole {
  @StringField()
  readonly role_name?: string | null;
}

/** A user in a directory. */
export class DirectoryUserEventData {
  /** `diruser_…` */
  @StringField()
  readonly id?: string | null;

  /** The name of `id` in Scalekit's guide. */
  @StringField()
  readonly user_id?: string | null;

  @StringField()
  readonly organization_id?: string | null;

  @BooleanField()
  readonly active?: boolean | null;

  @StringField()
  readonly email?: string | null;

  @StringField()
  readonly given_name?: string | null;

  @StringField()
  readonly family_name?: string | null;

  @StringField()
  readonly name?: string | null;

  @StringField()
  readonly preferred_username?: string | null;

  /** The user's id at the directory provider. */
  @StringField()
  readonly dp_id?: string | null;

  @StringField()
  readonly employee_id?: string | null;

  @StringField()
  readonly department?: string | null;

  @StringField()
  readonly cost_center?: string | null;

  @StringField()
  readonly division?: string | null;

  @StringField()
  readonly title?: string | null;

  @StringField()
  readonly user_type?: string | null;

  @StringField()
  readonly phone_number?: string | null;

  @StringField()
  readonly language?: string | null;

  @StringField()
  readonly locale?: string | null;

  @StringField()
  readonly zoneinfo?: string | null;

  @StringField()
  readonly organization?: string | null;

  @StringField()
  readonly nickname?: string | null;

  @StringField()
  readonly profile?: string | null;

  @NestedArrayField(() => DirectoryUserGroup)
  readonly groups?: readonly DirectoryUserGroup[] | null;

  @NestedArrayField(() => DirectoryUserRole)
  readonly roles?: readonly DirectoryUserRole[] | null;

  @ObjectField()
  readonly custom_attributes?: Record<string, unknown> | null;

  @ObjectField()
  readonly raw_attributes?: Record<string, unknown> | null;

  @StringField()
  readonly picture?: string | null;

  @ObjectField()
  readonly address?: Record<string, unknown> | null;
}

/** A user was created in a directory. */
export class DirectoryUserCreatedEvent extends ScalekitEventBase {
  override readonly type!: 'organization.directory.user_created';

  @EventData(() => DirectoryUserEventData, DIRECTORY_USER_IDENTITY)
  readonly data!: DirectoryUserEventData;
}

/** A user was updated in a directory. */
export class DirectoryUserUpdatedEvent extends ScalekitEventBase {
  override readonly type!: 'organization.directory.user_updated';

  @EventData(() => DirectoryUserEventData, DIRECTORY_USER_IDENTITY)
  readonly data!: DirectoryUserEventData;
}

/** A user was deleted from a directory. */
export class DirectoryUserDeletedEvent extends ScalekitEventBase {
  override readonly type!: 'organization.directory.user_deleted';

  @EventData(() => DirectoryUserEventData, DIRECTORY_USER_IDENTITY)
  readonly data!: DirectoryUserEventData;
}

const DIRECTORY_GROUP_IDENTITY = flatOrUnder(
  ['directory_group', 'group'],
  ['id', 'group_id', 'dp_id', 'display_name', 'name', 'external_id'],
);

/** A group in a directory. */
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

  /** The group's id at the directory provider. */
  @StringField()
  readonly dp_id?: string | null;

  @ObjectField()
  readonly raw_attributes?: Record<string, unknown> | null;
}

/** A group was created in a directory. */
export class DirectoryGroupCreatedEvent extends ScalekitEventBase {
  override readonly type!: 'organization.directory.group_created';

  @EventData(() => DirectoryGroupEventData, DIRECTORY_GROUP_IDENTITY)
  readonly data!: DirectoryGroupEventData;
}

/** A group was updated in a directory. */
export class DirectoryGroupUpdatedEvent extends ScalekitEventBase {
  override readonly type!: 'organization.directory.group_updated';

  @EventData(() => DirectoryGroupEventData, DIRECTORY_GROUP_IDENTITY)
  readonly data!: DirectoryGroupEventData;
}

/** A group was deleted from a directory. */
export class DirectoryGroupDeletedEvent extends ScalekitEventBase {
  override readonly type!: 'organization.directory.group_deleted';

  @EventData(() => DirectoryGroupEventData, DIRECTORY_GROUP_IDENTITY)
  readonly data!: DirectoryGroupEventData;
}
